package import Base

/// Why a file of tensors, or a checkpoint, cannot be read.
package enum TensorFileError: Failure, Hashable {
    case malformed(file: String, FormatError)
    case unreadable(file: String, SystemError)
    /// A folder, a pipe, a device.
    case notRegular(file: String)
    /// A folder with neither the one file nor an index.
    case noCheckpoint(file: String, index: String)
    case missingShard(file: String, tensor: String)
    case shardLacksTensor(file: String, tensor: String)
    case noTensor(name: String)

    package var kind: FailureKind {
        switch self {
        case .malformed(_, let error): error.kind
        case .unreadable(_, let error): error.kind
        case .notRegular, .shardLacksTensor: .invalidInput
        case .noCheckpoint, .missingShard, .noTensor: .notFound
        }
    }

    package var reason: String {
        switch self {
        case .malformed(_, let error): error.reason
        case .unreadable: "TENSOR_FILE_UNREADABLE"
        case .notRegular, .shardLacksTensor: "BAD_TENSOR_FILE"
        case .noCheckpoint, .missingShard: "TENSOR_FILE_NOT_FOUND"
        case .noTensor: "TENSOR_NOT_FOUND"
        }
    }

    package var message: String {
        switch self {
        case .malformed(let file, let error):
            "\(shown(file)) is not a valid tensor file: \(error.message)"
        case .unreadable(let file, let error): "cannot read \(shown(file)): \(error.words)"
        case .notRegular(let file): "\(shown(file)) is not a regular file"
        case .noCheckpoint(let file, let index):
            "the folder has neither \(shown(file)) nor \(shown(index))"
        case .missingShard(let file, let tensor):
            "\(shown(file)) is missing, which should hold \(shown(tensor))"
        case .shardLacksTensor(let file, let tensor):
            "\(shown(file)) lacks \(shown(tensor)), which the index promises"
        case .noTensor(let name): "there is no tensor \(shown(name))"
        }
    }
}

/// Calls the system to read a file; what goes wrong is told with the file's name.
func reading<R>(
    _ file: String, _ operation: @autoclosure () throws(SystemError) -> R
) throws(TensorFileError) -> R {
    do { return try operation() } catch { throw .unreadable(file: file, error) }
}
