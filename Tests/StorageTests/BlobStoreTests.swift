import Base
import Digests
import Foundation
import Testing

@testable import Storage

struct BlobStoreTests {
    private func blob(_ text: String) -> (digest: Digest256, bytes: Bytes) {
        let bytes = Bytes(text)
        return (bytes.withUnsafeBytes { SHA256.digest($0) }, bytes)
    }

    @Test(arguments: [1, 3, 40])
    func eachContentIsStoredOnce(count: Int) async throws {
        let folder = try ScratchFolder()
        let store = try BlobStore(folder: folder.path + "/blobs")
        let blobs = (0..<count).map { blob("content \($0)") }
        #expect(try await store.store(blobs + blobs) == count)
        #expect(try await store.store(blobs) == 0)
        for blob in blobs { #expect(try store.read(blob.digest) == blob.bytes) }
        var found = Set<Digest256>()
        try store.eachDigest { found.insert($0) }
        #expect(found == Set(blobs.map(\.digest)))
    }

    @Test func damageAndAbsenceAreSaid() async throws {
        let folder = try ScratchFolder()
        let store = try BlobStore(folder: folder.path)
        let (digest, bytes) = blob("true words")
        #expect(throws: StorageError.blobMissing(digest.hex)) { try store.read(digest) }
        try await store.store([(digest, bytes)])
        let path = folder.path + "/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
        try Data("false word".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: StorageError.self) { try store.read(digest) }
        store.remove(digest)
        #expect(!store.contains(digest))
    }

    @Test func whatACrashLeftHalfWrittenIsRemoved() throws {
        let folder = try ScratchFolder()
        _ = try BlobStore(folder: folder.path)
        let partial = folder.path + "/partial/7"
        try Data("half".utf8).write(to: URL(fileURLWithPath: partial))
        _ = try BlobStore(folder: folder.path)
        #expect(!FileManager.default.fileExists(atPath: partial))
    }

    @Test func aFolderThatCannotBeWrittenIsSaid() async throws {
        let folder = try ScratchFolder()
        let store = try BlobStore(folder: folder.path)
        try FileManager.default.removeItem(atPath: folder.path + "/partial")
        await #expect(throws: StorageError.self) { try await store.store([blob("lost")]) }
        var found = 0
        try store.eachDigest { _ in found += 1 }
        #expect(found == 0)
    }
}
