import Glibc

/// A number that a system call left in `errno`.
package struct SystemError: Error, Sendable, Hashable {
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// What `errno` says now; call it right after the call that failed.
    package static var last: SystemError { SystemError(code: errno) }

    /// As the system says it, such as `No such file or directory`.
    package var words: String {
        var buffer = [CChar](repeating: 0, count: 256)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else {
                return "error \(code)"
            }
            return String(cString: base)
        }
    }
}

/// Whole small files: configurations, tokens, state of the kernel.
package enum SmallFile {
    /// The bytes of the file at `path`, or the first `bytesMax` of them.
    package static func read(_ path: String, bytesMax: Int = 16 << 20)
        -> Result<Bytes, SystemError>
    {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .failure(.last) }
        defer { close(file) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while content.count < bytesMax {
            let wanted = min(buffer.count, bytesMax - content.count)
            let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, wanted) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(.last) }
            guard count > 0 else { break }
            content += buffer[..<count]
        }
        return .success(Bytes(content))
    }
}
