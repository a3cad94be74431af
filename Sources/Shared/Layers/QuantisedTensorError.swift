package import Base
package import Numerics
package import TensorFiles

/// Why a linear layer's weight cannot be had from a checkpoint.
package enum QuantisedTensorError: Failure {
    /// `quantization_config` is not an object with the types that its libraries write.
    case config
    case file(TensorFileError)
    /// A module with none of the tensors that a weight may have.
    case noWeight(module: String)
    case shape(tensor: String, seen: [Int], expected: [Int])
    case type(tensor: String, seen: String, expected: String)
    case unsupported(module: String, what: String, allowed: String)
    case int4(module: String, Int4LayoutError)
    case nf4(module: String, NF4LayoutError)
    /// Widths, from the model's configuration, that no layer has.
    case width(module: String, out: Int, width: Int, widthMax: Int)

    package var kind: FailureKind {
        switch self {
        case .file(let error): error.kind
        case .noWeight: .notFound
        case .unsupported: .unimplemented
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .file(let error): error.reason
        case .int4(_, let error): error.reason
        case .nf4(_, let error): error.reason
        case .noWeight: "TENSOR_NOT_FOUND"
        case .unsupported: "QUANTISATION_UNSUPPORTED"
        case .config: "BAD_QUANTISATION_CONFIG"
        case .shape, .type, .width: "BAD_WEIGHT"
        }
    }

    package var message: String {
        switch self {
        case .config: "quantization_config has no quant_method, or a field of another type"
        case .file(let error): error.message
        case .noWeight(let module):
            "module \(module) has neither weight, weight_packed nor qweight"
        case .shape(let tensor, let seen, let expected):
            "tensor \(tensor) has shape \(seen); its layer needs \(expected)"
        case .type(let tensor, let seen, let expected):
            "tensor \(tensor) has elements of \(seen); \(expected) is read"
        case .unsupported(let module, let what, let allowed):
            "module \(module) is quantised as \(what); \(allowed) is read"
        case .int4(let module, let error): "module \(module): \(error.message)"
        case .nf4(let module, let error): "module \(module): \(error.message)"
        case .width(let module, let out, let width, let widthMax):
            "module \(module) of \(out) outputs and \(width) inputs; allowed are 1 to \(widthMax)"
        }
    }
}
