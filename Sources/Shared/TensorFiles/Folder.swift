import Base
import Glibc

/// An open folder. Names are looked up in it and nowhere else, whatever moves meanwhile.
final class Folder: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws(SystemError) {
        guard !path.utf8.contains(0) else { throw SystemError(code: EINVAL) }
        descriptor = try retried { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }

    deinit { close(descriptor) }

    /// The folder of a file, and the file's name in it.
    static func parts(of path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = path[..<slash]
        return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
    }

    /// The name of a folder, without the folders around it.
    static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// Whether `name` is that of a file in a folder, and not a way out of it.
    static func isPlain(_ name: String) -> Bool {
        let isFree = name.utf8.allSatisfy { byte in
            byte != 0 && byte != UInt8(ascii: "/") && byte != UInt8(ascii: "\\")
        }
        return isFree && !name.isEmpty && name != "." && name != ".."
    }

    /// Opens the file `name`; whoever calls closes it.
    func open(_ name: String, _ flags: Int32) throws(SystemError) -> Int32 {
        guard Folder.isPlain(name) else { throw SystemError(code: EINVAL) }
        return try retried { openat(descriptor, name, flags | O_CLOEXEC | O_NOCTTY, 0o666) }
    }

    /// Whether there is anything called `name`.
    func contains(_ name: String) throws(SystemError) -> Bool {
        do {
            _ = try retried { faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) }
            return true
        } catch {
            guard error.code == ENOENT else { throw error }
            return false
        }
    }

    func rename(_ name: String, to other: String) throws(SystemError) {
        _ = try retried { renameat(descriptor, name, descriptor, other) }
    }

    func remove(_ name: String) throws(SystemError) {
        _ = try retried { unlinkat(descriptor, name, 0) }
    }

    /// Waits until the names in this folder are on the disk.
    func sync() throws(SystemError) { _ = try retried { fsync(descriptor) } }
}

/// Repeats a system call that a signal interrupted.
func retried(_ call: () -> Int32) throws(SystemError) -> Int32 {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = SystemError.last
        guard error.code == EINTR else { throw error }
    }
}

extension SystemError {
    /// What a failed file operation means to the caller.
    var kind: FailureKind {
        switch code {
        case ENOENT, ENOTDIR: .notFound
        case EEXIST: .alreadyExists
        case EACCES, EPERM: .forbidden
        case ENOSPC, EDQUOT, EFBIG, ENOMEM, EMFILE, ENFILE: .exhausted
        case EROFS, EISDIR, EBUSY, ETXTBSY: .precondition
        case EINVAL, ENAMETOOLONG, ELOOP, ENXIO: .invalidInput
        case EIO: .dataLoss
        case EAGAIN, ESTALE, ETIMEDOUT: .unavailable
        default: .broken
        }
    }
}
