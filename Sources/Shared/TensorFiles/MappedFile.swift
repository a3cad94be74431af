import Base
import Glibc

/// The bytes of a file as memory, read-only, from opening to the last reference.
///
/// The kernel reads pages when they are touched, so opening costs nothing and a model larger than
/// memory can be walked through. The price: if another program makes the file shorter meanwhile,
/// touching what is gone ends this program (SIGBUS). Replacing the file by renaming, as the writers
/// here do, is harmless.
final class MappedFile: @unchecked Sendable {
    // The pages cannot be written through this mapping, so any thread may read them.
    /// All bytes; without an address where there are none.
    private let bytes: UnsafeRawBufferPointer

    private let name: String

    /// - Parameter name: of a regular file in `folder`, or of a symbolic link to one
    init(_ name: String, in folder: Folder) throws(TensorFileError) {
        // Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
        let descriptor = try reading(name, folder.open(name, O_RDONLY | O_NONBLOCK))
        defer { close(descriptor) }
        var status = stat()
        _ = try reading(name, retried { fstat(descriptor, &status) })
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(file: name) }
        let count = Int(status.st_size)
        bytes = try reading(name, MappedFile.map(descriptor, count: count))
        self.name = name
    }

    deinit {
        if let base = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
        }
    }

    /// Calls `body` with all bytes; the pointer is valid only during the call.
    func withBytes<R, E>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        let result = try body(bytes)
        withExtendedLifetime(self) {}
        return result
    }

    /// Makes something of all bytes; what is wrong with them is told with the file's name.
    func parse<R>(
        _ body: (UnsafeRawBufferPointer) throws(FormatError) -> R
    ) throws(TensorFileError) -> R {
        do { return try withBytes(body) } catch { throw .malformed(file: name, error) }
    }

    private static func map(
        _ descriptor: Int32, count: Int
    ) throws(SystemError) -> UnsafeRawBufferPointer {
        // Nothing cannot be mapped.
        guard count > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let base, base != MAP_FAILED else { throw SystemError.last }
        return UnsafeRawBufferPointer(start: base, count: count)
    }
}
