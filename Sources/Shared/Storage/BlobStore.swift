package import Base
import CLinux
package import Digests
import Glibc

/// Bytes by their digest: each content once, in a file that never changes.
///
/// A file appears under its name only when all of it is on disk: it is written under a temporary
/// name, synced, renamed, and its folder synced. What a crash leaves under temporary names is
/// removed when the store is opened. Reading and asking take no turn; writing does.
package actor BlobStore {
    /// From this many files on, one sync of the file system is quicker than one for each file
    /// (12,000 files of 30 kB a second against 3,700, ext4).
    private static let fileSyncsMax = 4

    private let executor = ThreadExecutor(named: "blobs")
    private let root: String
    private let folder: OpenFolder
    private var partialCount = 0

    /// Opens the store in a folder, which is made if it is not there.
    package init(folder root: String) throws(StorageError) {
        self.root = root
        try BlobStore.makeFolder(root)
        try BlobStore.makeFolder("\(root)/partial")
        for shard in 0..<256 {
            try BlobStore.makeFolder(root + "/" + BlobStore.shardName(UInt8(shard)))
        }
        folder = try OpenFolder(root)
        try folder.sync()
        for name in try BlobStore.names(in: "\(root)/partial") { unlink("\(root)/partial/\(name)") }
    }

    /// The thread of this object.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Whether the blob is there.
    package nonisolated func contains(_ digest: Digest256) -> Bool {
        access(path(digest), F_OK) == 0
    }

    /// How many bytes the blob has; nil if it is not there.
    package nonisolated func size(_ digest: Digest256) -> Int? {
        var status = stat()
        guard stat(path(digest), &status) == 0 else { return nil }
        return Int(status.st_size)
    }

    /// Stores the blobs that are not there yet. They are on disk when this returns.
    ///
    /// - Parameter blobs: bytes with their digests, which are taken on trust
    /// - Returns: how many were new
    @discardableResult
    package func store(_ blobs: [(digest: Digest256, bytes: Bytes)]) throws(StorageError) -> Int {
        var fresh: [(digest: Digest256, path: String, file: Int32)] = []
        defer {
            for blob in fresh {
                close(blob.file)
                unlink(blob.path)
            }
        }
        var seen = Set<Digest256>()
        for blob in blobs where !contains(blob.digest) && seen.insert(blob.digest).inserted {
            let (path, file) = try newPartial()
            fresh.append((blob.digest, path, file))
            try BlobStore.write(blob.bytes, to: file)
        }
        guard !fresh.isEmpty else { return 0 }
        try sync(fresh.map(\.file))
        for blob in fresh {
            guard rename(blob.path, path(blob.digest)) == 0 else {
                throw StorageError(.last, during: "naming a blob")
            }
        }
        try syncShards(Set(fresh.map { $0.digest.firstByte }))
        return fresh.count
    }

    /// The bytes of a blob, or of its part. Whole blobs are compared with their digest.
    package nonisolated func read(_ digest: Digest256, checked: Bool = true) throws(StorageError)
        -> Bytes
    {
        let file = open(path(digest), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw errno == ENOENT
                ? .blobMissing(digest.hex) : StorageError(.last, during: "opening a blob")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw StorageError(.last, during: "a blob") }
        let bytes = try Bytes(count: Int(status.st_size)) { (target) throws(StorageError) in
            try BlobStore.read(file, into: target)
        }
        guard checked else { return bytes }
        let seen = bytes.withUnsafeBytes { SHA256.digest($0) }
        guard seen == digest else {
            throw .digestMismatch(expected: digest.hex, seen: seen.hex)
        }
        return bytes
    }

    /// Removes a blob if it is there. Not synced: what comes back after a crash has no owner, and
    /// `eachDigest` finds it.
    package nonisolated func remove(_ digest: Digest256) { unlink(path(digest)) }

    /// Calls `body` with the digest of every blob, shard by shard.
    package nonisolated func eachDigest(
        _ body: (Digest256) throws(StorageError) -> Void
    ) throws(StorageError) {
        for shard in 0..<256 {
            let prefix = BlobStore.shardName(UInt8(shard))
            for name in try BlobStore.names(in: "\(root)/\(prefix)") {
                if let digest = Digest256(hex: prefix + name) { try body(digest) }
            }
        }
    }

    private nonisolated func path(_ digest: Digest256) -> String {
        let hex = digest.hex
        return "\(root)/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }

    private func newPartial() throws(StorageError) -> (path: String, file: Int32) {
        partialCount += 1
        let path = "\(root)/partial/\(partialCount)"
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StorageError(.last, during: "making a blob") }
        return (path, file)
    }

    private func sync(_ files: [Int32]) throws(StorageError) {
        if files.count > BlobStore.fileSyncsMax { return try folder.syncFileSystem() }
        for file in files where fsync(file) != 0 {
            throw StorageError(.last, during: "syncing a blob")
        }
    }

    private func syncShards(_ shards: Set<UInt8>) throws(StorageError) {
        if shards.count > BlobStore.fileSyncsMax { return try folder.syncFileSystem() }
        for shard in shards {
            try OpenFolder(root + "/" + BlobStore.shardName(shard)).sync()
        }
    }

    private static func shardName(_ byte: UInt8) -> String { Hexadecimal.text([byte]) }

    private static func makeFolder(_ path: String) throws(StorageError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw StorageError(.last, during: "making a folder")
        }
    }

    private static func write(_ bytes: Bytes, to file: Int32) throws(StorageError) {
        try bytes.withUnsafeBytes { (bytes) throws(StorageError) in
            var rest = bytes
            while let base = rest.baseAddress, !rest.isEmpty {
                let count = Glibc.write(file, base, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw StorageError(.last, during: "writing a blob") }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }

    private static func read(
        _ file: Int32, into target: UnsafeMutableRawBufferPointer
    ) throws(StorageError) {
        var filled = 0
        while filled < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[filled...])
            let count = Glibc.read(file, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StorageError(.last, during: "reading a blob") }
            guard count > 0 else { throw .corrupt(what: "a blob ended while it was read") }
            filled += count
        }
    }

    private static func names(in path: String) throws(StorageError) -> [String] {
        guard let stream = opendir(path) else {
            throw StorageError(.last, during: "listing blobs")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}

/// A folder held open, to sync what is in it.
private final class OpenFolder: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws(StorageError) {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageError(.last, during: "opening a folder") }
    }

    deinit { close(descriptor) }

    /// Puts the names in the folder on disk.
    func sync() throws(StorageError) {
        guard fsync(descriptor) == 0 else {
            throw StorageError(.last, during: "syncing a folder")
        }
    }

    /// Puts everything on disk that was written to the folder's file system. Reports errors of
    /// writing since Linux 5.8.
    func syncFileSystem() throws(StorageError) {
        guard syncfs(descriptor) == 0 else {
            throw StorageError(.last, during: "syncing the disk")
        }
    }
}
