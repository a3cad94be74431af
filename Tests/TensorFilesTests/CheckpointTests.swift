import Base
import Glibc
import Testing

@testable import TensorFiles

/// Reading checkpoints of one file and of several.
struct CheckpointTests {
    private let one = "model.safetensors"
    private let index = "model.safetensors.index.json"

    /// Tensors `a` and `b` in one file, `c` in another, and an index.
    private func sharded(_ map: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let first = [PlannedTensor("a", .uint8, [2]), PlannedTensor("b", .uint8, [3])]
        try folder.write(RawFile.bytes(of: first), to: "one")
        try folder.write(RawFile.bytes(of: [PlannedTensor("c", .uint8, [1])]), to: "two")
        try folder.write("{\"metadata\":{\"total_size\":6.0},\"weight_map\":{\(map)}}", to: index)
        return folder
    }

    @Test func aTensorIsFoundWhicheverFileHasIt() throws {
        let folder = try sharded("\"c\":\"two\",\"a\":\"one\",\"b\":\"one\"")
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.files.map(\.name) == ["one", "two"])
        #expect(checkpoint.tensors.map(\.name) == ["a", "b", "c"])
        #expect(try checkpoint.tensor(named: "b").bytes == [2, 3, 4])
        #expect(try checkpoint.tensor(named: "c").bytes == [0])
        #expect(throws: TensorFileError.noTensor(name: "d")) { try checkpoint.tensor(named: "d") }
    }

    @Test func aTensorThatTheIndexLeavesOutIsLeftOut() throws {
        let folder = try sharded("\"c\":\"two\",\"a\":\"one\"")
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.tensors.map(\.name) == ["a", "c"])
        #expect(throws: TensorFileError.noTensor(name: "b")) { try checkpoint.tensor(named: "b") }
    }

    @Test func theOneFileWinsOverAnIndex() throws {
        let folder = try sharded("\"c\":\"two\"")
        try folder.write(RawFile.bytes(of: [PlannedTensor("z", .uint8, [1])]), to: one)
        #expect(try Checkpoint(folder: folder.path).tensors.map(\.name) == ["z"])
    }

    @Test func anotherStemGivesOtherNames() throws {
        let folder = try TemporaryFolder()
        let tensors = [PlannedTensor("z", .uint8, [1])]
        try folder.write(RawFile.bytes(of: tensors), to: "adapter_model.safetensors")
        let checkpoint = try Checkpoint(folder: folder.path, stem: "adapter_model")
        #expect(checkpoint.tensors.map(\.name) == ["z"])
        #expect(throws: TensorFileError.noCheckpoint(file: one, index: index)) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test(arguments: [
        "../one", "/etc/passwd", "a/b", "sub\\\\x", "..", ".", "", "one\\u0000", "\\u002e\\u002e/x",
    ])
    func anIndexCannotNameFilesElsewhere(file: String) throws {
        let folder = try sharded("\"a\":\"\(file)\"")
        let error = TensorFileError.malformed(file: index, .shardOutsideFolder(tensor: "a"))
        #expect(throws: error) { try Checkpoint(folder: folder.path) }
    }

    @Test func aMissingFileIsNamed() throws {
        let folder = try sharded("\"a\":\"one\",\"z\":\"three\"")
        let error = TensorFileError.missingShard(file: "three", tensor: "z")
        #expect(throws: error) { try Checkpoint(folder: folder.path) }
        #expect(error.kind == .notFound)
    }

    @Test func aPromiseThatAFileBreaksIsNamed() throws {
        let folder = try sharded("\"a\":\"one\",\"c\":\"one\"")
        #expect(throws: TensorFileError.shardLacksTensor(file: "one", tensor: "c")) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test func aDamagedFileIsNamed() throws {
        let folder = try sharded("\"a\":\"one\",\"c\":\"two\"")
        try folder.write([], to: "two")
        #expect(throws: TensorFileError.malformed(file: "two", .tooShort(bytes: 0))) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test func filesMayBeLinksAsInTheCacheOfTheHub() throws {
        let cache = try TemporaryFolder()
        for folder in ["blobs", "snapshots", "snapshots/0a1b"] { try cache.makeFolder(folder) }
        try cache.write(RawFile.bytes(of: [PlannedTensor("a", .uint8, [2])]), to: "blobs/c0")
        try cache.write("{\"weight_map\":{\"a\":\"one\"}}", to: "blobs/c1")
        try cache.link("snapshots/0a1b/one", to: "../../blobs/c0")
        try cache.link("snapshots/0a1b/" + index, to: "../../blobs/c1")
        let sharded = try Checkpoint(folder: cache["snapshots/0a1b"])
        #expect(sharded.files.map(\.name) == ["one"])
        #expect(try sharded.tensor(named: "a").bytes == [0, 1])
        try cache.link("snapshots/0a1b/" + one, to: "../../blobs/c0")
        let single = try Checkpoint(folder: cache["snapshots/0a1b"])
        #expect(single.files.map(\.name) == [one])
    }

    @Test func aLinkToNoFileIsRefused() throws {
        let folder = try sharded("\"a\":\"link\"")
        try folder.link("link", to: "/")
        #expect(throws: TensorFileError.notRegular(file: "link")) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test func aLinkWithinTheFolderIsFollowed() throws {
        let folder = try sharded("\"a\":\"one\"")
        try folder.link(one, to: "two")
        let outer = try TemporaryFolder()
        try outer.link("link", to: folder.path)
        #expect(try Checkpoint(folder: outer["link"]).tensors.map(\.name) == ["c"])
    }

    @Test func aLinkToNothingIsUnreadable() throws {
        let folder = try TemporaryFolder()
        try folder.link(one, to: "nothing")
        #expect(throws: TensorFileError.unreadable(file: one, SystemError(code: Glibc.ENOENT))) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test func aFolderThatIsNotThereIsNamed() throws {
        let folder = try TemporaryFolder()
        #expect(throws: TensorFileError.unreadable(file: "x", SystemError(code: Glibc.ENOENT))) {
            try Checkpoint(folder: folder["x"] + "/")
        }
    }

    @Test(arguments: [
        ("", FormatError.unexpected(at: 0, expected: "an object")),
        ("[]", .unexpected(at: 0, expected: "an object")),
        ("{}", .missing(field: "weight_map", of: "the index")),
        ("{\"weight_map\":[]}", .unexpected(at: 14, expected: "an object")),
        ("{\"weight_map\":{\"a\":7}}", .unexpected(at: 19, expected: "a string")),
        ("{\"weight_map\":{},\"weight_map\":{}}", .duplicate(name: "weight_map")),
        ("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", .duplicate(name: "a")),
        ("{\"weight_map\":{}}x", .unexpected(at: 17, expected: "nothing after the value")),
    ])
    func aBadIndexIsRefused(text: String, error: FormatError) throws {
        let folder = try TemporaryFolder()
        try folder.write(text, to: index)
        #expect(throws: TensorFileError.malformed(file: index, error)) {
            try Checkpoint(folder: folder.path)
        }
    }

    @Test func everyErrorHasWords() {
        let errors: [TensorFileError] = [
            .notRegular(file: "x"), .noTensor(name: "t"),
            .noCheckpoint(file: "x", index: "y"), .missingShard(file: "x", tensor: "t"),
            .shardLacksTensor(file: "x", tensor: "t"), .malformed(file: "x", .reservedName),
        ]
        for error in errors { #expect(error.message.contains("'")) }
        #expect(Set(errors.map(\.message)).count == errors.count)
        let reasons = Set(errors.map(\.reason))
        #expect(reasons.count == 3)
    }
}
