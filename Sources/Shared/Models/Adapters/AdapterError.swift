package import Base
package import TensorFiles

/// Why an adapter cannot be made, read, applied or merged.
package enum AdapterError: Failure {
    case config(ModelError)
    /// A feature of PEFT that is not done here.
    case unsupported(field: String, seen: String, allowed: String)
    case badPattern(field: String, pattern: String, why: String)
    case outOfRange(field: String, seen: String, allowed: String)
    /// Targets that are no linear layer of the model.
    case noTargets(seen: String, known: [String])
    /// Modules that should be held as a whole and that training cannot change.
    case notWhole(module: String, why: String)
    case file(TensorFileError)
    /// Tensors of the adapter's file that belong to nothing in the model.
    case unbound(tensors: [String], count: Int)
    /// Tensors that the adapter's configuration asks for.
    case missing(tensors: [String])
    case wrongShape(tensor: String, seen: [Int], expected: [Int])
    case wrongType(tensor: String, seen: String)
    /// Two tensors of the file stand for the same one.
    case twice(tensor: String, first: String, second: String)
    case writing(TensorWriteError)
    case unwritable(file: String, why: String)
    /// A module that an adapter cannot become part of.
    case unmergeable(module: String, why: String)
    /// A merged model that does not say what base and adapter say together.
    case mergeDiffers(seen: Float, allowed: Float)

    package var kind: FailureKind {
        switch self {
        case .config(let error): error.kind
        case .file(let error): error.kind
        case .writing(let error): error.kind
        case .unsupported: .unimplemented
        case .unwritable, .unmergeable: .precondition
        case .mergeDiffers: .dataLoss
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .config, .outOfRange: "BAD_ADAPTER_CONFIG"
        case .unsupported: "ADAPTER_UNSUPPORTED"
        case .badPattern: "BAD_ADAPTER_PATTERN"
        case .noTargets: "ADAPTER_TARGETS_NOTHING"
        case .notWhole: "ADAPTER_MODULE_UNTRAINABLE"
        case .file(let error): error.reason
        case .writing(let error): error.reason
        case .unwritable: "ADAPTER_UNWRITABLE"
        case .unbound, .twice: "ADAPTER_TENSORS_UNBOUND"
        case .missing: "ADAPTER_TENSORS_MISSING"
        case .wrongShape, .wrongType: "ADAPTER_TENSOR_MISMATCH"
        case .unmergeable: "ADAPTER_UNMERGEABLE"
        case .mergeDiffers: "MERGE_DIFFERS"
        }
    }

    package var message: String {
        switch self {
        case .config(let error): error.message
        case .file(let error): error.message
        case .writing(let error): error.message
        case .unsupported, .badPattern, .outOfRange, .noTargets, .notWhole: specMessage
        case .unwritable(let file, let why): "\(file) cannot be written: \(why)"
        case .unmergeable(let module, let why):
            "the adapter of \(module) cannot be merged: \(why)"
        case .mergeDiffers(let seen, let allowed):
            "logits of the merged model differ by up to \(seen) from those with the adapter; "
                + "allowed is \(allowed). Merge into float32, or serve the adapter unmerged"
        default: tensorMessage
        }
    }

    private var specMessage: String {
        switch self {
        case .unsupported(let field, let seen, let allowed),
            .outOfRange(let field, let seen, let allowed):
            "\(field) is \(seen); allowed is \(allowed)"
        case .badPattern(let field, let pattern, let why):
            "\(field) has the pattern '\(pattern.prefix(200))': \(why)"
        case .noTargets(let seen, let known):
            "no linear layer of the model is \(seen); the names of its layers end in "
                + known.joined(separator: ", ")
        case .notWhole(let module, let why):
            "\(module) cannot be held as a whole by an adapter: \(why)"
        default: ""
        }
    }

    private var tensorMessage: String {
        switch self {
        case .unbound(let tensors, let count):
            "\(tensors.count) of the adapter's \(count) tensors belong to nothing in this model: "
                + Self.some(tensors) + ". Is it an adapter of another model?"
        case .missing(let tensors):
            "the adapter lacks \(tensors.count) tensors that its configuration asks for: "
                + Self.some(tensors)
        case .wrongShape(let tensor, let seen, let expected):
            "\(tensor) has shape \(seen), model and configuration ask for \(expected)"
        case .wrongType(let tensor, let seen):
            "\(tensor) is of \(seen), allowed are F32, BF16 and F16"
        case .twice(let tensor, let first, let second):
            "both \(first) and \(second) stand for \(tensor)"
        default: ""
        }
    }

    private static func some(_ names: [String]) -> String {
        names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
    }
}
