import Base
import Digests
import Glibc

/// What stands for the content of some files: the SHA-256 of what `sha256sum` prints for them,
/// sorted by name.
enum FolderDigest {
    /// The digest of files of a folder.
    static func digest(of names: [String], in folder: String) throws -> Digest256 {
        digest(try names.map { ($0, try digest(ofFile: "\(folder)/\($0)")) })
    }

    /// The digest of files whose digests are known.
    static func digest(_ files: [(name: String, digest: Digest256)]) -> Digest256 {
        let lines = files.sorted { $0.name < $1.name }.map { "\($0.digest.hex)  \($0.name)\n" }
        return Bytes(lines.joined()).withUnsafeBytes { SHA256.digest($0) }
    }

    private static func digest(ofFile path: String) throws -> Digest256 {
        var hash = SHA256()
        try FilePieces.read(path) { hash.update($0) }
        return hash.finish()
    }
}

/// Files of any size, piece by piece.
enum FilePieces {
    /// Calls `body` with the pieces of a file, in order.
    static func read(
        _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemError.last }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: InferenceLimits.copyBytes)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.last }
            guard count > 0 else { return }
            try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    /// Copies a file so that it is on disk when this returns; gives the digest of what was copied.
    /// - Parameter bytesMax: more is refused
    static func copy(_ path: String, to target: String, bytesMax: Int) throws -> (Digest256, Int) {
        let file = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError.last }
        defer { close(file) }
        var hash = SHA256()
        var total = 0
        try read(path) { piece in
            total += piece.count
            guard total <= bytesMax else {
                throw InferenceError.adapterInvalid(
                    why: "its files have more than the \(bytesMax) bytes allowed")
            }
            hash.update(piece)
            var rest = piece
            while !rest.isEmpty {
                let count = Glibc.write(file, rest.baseAddress, rest.count)
                guard count >= 0 else { throw SystemError.last }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
        guard fsync(file) == 0 else { throw SystemError.last }
        return (hash.finish(), total)
    }
}
