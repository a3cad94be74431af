package import Base
package import TensorFiles

/// Why the tensors of a checkpoint do not make the model that its configuration describes.
package enum WeightError: Failure {
    case file(TensorFileError)
    case missing(tensor: String)
    case wrongShape(tensor: String, seen: [Int], expected: [Int])
    case wrongType(tensor: String, seen: String, allowed: [String])
    /// Tensors that no layer asked for.
    case unbound(tensors: [String])
    /// Two tensors of the file stand for the same parameter.
    case twice(tensor: String, first: String, second: String)
    /// A quantised tensor that cannot be read.
    case quantised(module: String, any Failure)

    package var kind: FailureKind {
        switch self {
        case .file(let error): error.kind
        case .quantised(_, let error): error.kind
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .file(let error): error.reason
        case .missing: "TENSOR_NOT_FOUND"
        case .wrongShape, .wrongType: "TENSOR_MISMATCH"
        case .unbound: "TENSORS_UNBOUND"
        case .twice: "TENSOR_AMBIGUOUS"
        case .quantised(_, let error): error.reason
        }
    }

    package var message: String {
        switch self {
        case .file(let error): error.message
        case .missing(let tensor):
            "the checkpoint lacks \(tensor), which its configuration asks for"
        case .wrongShape(let tensor, let seen, let expected):
            "\(tensor) has shape \(seen), its configuration asks for \(expected)"
        case .wrongType(let tensor, let seen, let allowed):
            "\(tensor) is of \(seen), allowed are \(allowed.joined(separator: ", "))"
        case .unbound(let tensors):
            "no layer of the model takes \(tensors.count) tensors: "
                + tensors.prefix(5).joined(separator: ", ") + (tensors.count > 5 ? ", ..." : "")
        case .twice(let tensor, let first, let second):
            "both \(first) and \(second) stand for \(tensor)"
        case .quantised(let module, let error): "\(module): \(error.message)"
        }
    }
}
