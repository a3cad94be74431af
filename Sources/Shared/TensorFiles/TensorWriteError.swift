package import Base

/// Why a file of tensors, or a checkpoint, cannot be written.
package enum TensorWriteError: Failure, Hashable {
    case unwritable(file: String, SystemError)
    /// The folder holds a checkpoint already.
    case occupied(file: String)
    /// Bytes for another tensor than the one whose turn it is; nil after the last one.
    case outOfTurn(tensor: String, expected: String?)
    case tooManyBytes(tensor: String, bytes: Int, bytesMax: Int)
    case unfinished(tensor: String, bytes: Int, expected: Int)

    package var kind: FailureKind {
        switch self {
        case .unwritable(_, let error): error.kind
        case .occupied: .alreadyExists
        case .outOfTurn, .tooManyBytes, .unfinished: .broken
        }
    }

    package var reason: String {
        switch self {
        case .unwritable: "TENSOR_FILE_UNWRITABLE"
        case .occupied: "CHECKPOINT_EXISTS"
        case .outOfTurn, .tooManyBytes, .unfinished: "TENSOR_BYTES_MISMATCH"
        }
    }

    package var message: String {
        switch self {
        case .unwritable(let file, let error): "cannot write \(shown(file)): \(error.words)"
        case .occupied(let file):
            "the folder has \(shown(file)) already; choose an empty folder"
        case .outOfTurn(let tensor, let expected):
            "bytes of \(shown(tensor)) came when"
                + " \(expected.map(shown) ?? "no more tensor") was expected"
        case .tooManyBytes(let tensor, let bytes, let bytesMax):
            "\(shown(tensor)) got \(bytes) bytes; its type and shape allow \(bytesMax)"
        case .unfinished(let tensor, let bytes, let expected):
            "\(shown(tensor)) got \(bytes) bytes; its type and shape need \(expected)"
        }
    }
}

/// Calls the system to write a file; what goes wrong is told with the file's name.
func writing<R>(
    _ file: String, _ operation: @autoclosure () throws(SystemError) -> R
) throws(TensorWriteError) -> R {
    do { return try operation() } catch { throw .unwritable(file: file, error) }
}
