package import Base
import Glibc
package import Models
package import Numerics
package import TensorFiles

/// Why a checkpoint cannot be written, found or gone on from.
package enum CheckpointError: Failure {
    case unwritable(what: String, SystemError)
    case tensors(TensorWriteError)
    case adapter(AdapterError)
    case missing(name: String)
    case unreadable(file: String, why: String)
    /// The bytes are not those that were written.
    case damaged(file: String, seen: String, written: String)
    /// The checkpoint belongs to something else: base model, rows or recipe.
    case other(what: String, saved: String, wanted: String)
    case optimiser(SavedStateError)

    package var kind: FailureKind {
        switch self {
        case .unwritable(_, let error):
            [ENOSPC, EDQUOT, EFBIG].contains(error.code) ? .exhausted : .precondition
        case .tensors(let error): error.kind
        case .adapter(let error): error.kind
        case .missing: .notFound
        case .unreadable, .damaged: .dataLoss
        case .other: .precondition
        case .optimiser(let error): error.kind
        }
    }

    package var reason: String {
        switch self {
        case .unwritable: "CHECKPOINT_UNWRITABLE"
        case .tensors(let error): error.reason
        case .adapter(let error): error.reason
        case .missing: "CHECKPOINT_NOT_FOUND"
        case .unreadable, .damaged: "CHECKPOINT_DAMAGED"
        case .other(let what, _, _):
            what == "base" ? "BASE_MISMATCH" : "CHECKPOINT_MISMATCH"
        case .optimiser(let error): error.reason
        }
    }

    package var message: String {
        switch self {
        case .unwritable(let what, let error):
            "\(what) cannot be written: \(error.words). The checkpoint before it is whole"
        case .tensors(let error): error.message
        case .adapter(let error): error.message
        case .missing(let name): "there is no checkpoint '\(name)'"
        case .unreadable(let file, let why): "\(file) of the checkpoint: \(why)"
        case .damaged(let file, let seen, let written):
            "\(file) of the checkpoint is \(seen), written was \(written); go on from another one"
        case .other(let what, let saved, let wanted):
            "the checkpoint is of another \(what): \(saved), this run has \(wanted)"
        case .optimiser(let error): error.message
        }
    }
}
