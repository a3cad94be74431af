import Base
import CLinux
import Glibc

/// Keeps a data folder for one program: two would undo each other's work. The lock goes with the
/// process, however that ends.
package final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock, or throws `inUse`.
    package init(folder: String) throws(StorageError) {
        descriptor = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError(.last, during: "opening the lock") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = errno
            close(descriptor)
            throw error == EWOULDBLOCK ? .inUse : .failed(what: "locking", code: Int(error))
        }
    }

    deinit { close(descriptor) }
}
