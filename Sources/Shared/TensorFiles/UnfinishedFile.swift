import Base
import Glibc

/// A file under a temporary name, until it is complete and takes its place in one step.
///
/// Whoever lets go of it before that leaves nothing behind. After a crash, a hidden file whose name
/// ends in `.partial` may remain, which nobody reads.
final class UnfinishedFile {
    private let folder: Folder
    private let temporaryName: String
    private let finalName: String
    private var descriptor: Int32
    private var isCommitted = false
    /// Why not all bytes are there; such a file never gets its name.
    private var failure: SystemError?

    init(_ name: String, in folder: Folder) throws(SystemError) {
        guard Folder.isPlain(name) else { throw SystemError(code: EINVAL) }
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        (self.folder, finalName) = (folder, name)
        temporaryName = ".\(name).\(suffix).partial"
        descriptor = try folder.open(temporaryName, O_WRONLY | O_CREAT | O_EXCL)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        // There is nobody to tell, and nothing else to try.
        if !isCommitted { try? folder.remove(temporaryName) }
    }

    /// Takes room for `count` bytes, so that a full disk shows before any of them is computed.
    func reserve(_ count: Int) throws(SystemError) {
        guard count > 0 else { return }
        var code: Int32
        repeat { code = posix_fallocate(descriptor, 0, count) } while code == EINTR
        // A file system that cannot reserve says so; writing will show what fits.
        guard code == 0 || code == EOPNOTSUPP || code == EINVAL else {
            throw SystemError(code: code)
        }
    }

    /// Writes all of `bytes` behind what is there.
    func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        if let failure { throw failure }
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = write(descriptor, base, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let error = SystemError.last
                failure = error
                throw error
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Puts the file in its place, on the disk, instead of whatever had its name.
    func commit() throws(SystemError) {
        if let failure { throw failure }
        _ = try retried { fsync(descriptor) }
        let open = descriptor
        descriptor = -1
        // An interrupted close has closed on Linux.
        guard close(open) == 0 || errno == EINTR else { throw SystemError.last }
        try folder.rename(temporaryName, to: finalName)
        isCommitted = true
        try folder.sync()
    }
}
