import Base
import Glibc
import Testing

@testable import TensorFiles

/// Opening files.
struct TensorFileTests {
    private let tensors = [PlannedTensor("a", .uint8, [3]), PlannedTensor("b", .float32, [2])]

    @Test func aFileGivesTheBytesOfItsTensors() throws {
        let folder = try TemporaryFolder()
        try folder.write(RawFile.bytes(of: tensors, metadata: ["k": "v"]), to: "x.safetensors")
        let file = try TensorFile(path: folder["x.safetensors"])
        #expect(file.name == "x.safetensors")
        #expect(file.metadata == ["k": "v"])
        #expect(file.tensors.map(\.name) == ["b", "a"])
        #expect(try file.tensor(named: "b").bytes == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(try file.tensor(named: "a").bytes == [8, 9, 10])
        #expect(throws: TensorFileError.noTensor(name: "c")) { try file.tensor(named: "c") }
    }

    @Test func aTensorOutlivesItsFileAndItsName() throws {
        let folder = try TemporaryFolder()
        try folder.write(RawFile.bytes(of: tensors), to: "x")
        let tensor = try TensorFile(path: folder["x"]).tensor(named: "a")
        #expect(unlink(folder["x"]) == 0)
        #expect(tensor.bytes == [8, 9, 10])
    }

    @Test func anErrorOfTheReaderOfBytesComesThrough() throws {
        struct Stop: Error {}
        let folder = try TemporaryFolder()
        try folder.write(RawFile.bytes(of: tensors), to: "x")
        let tensor = try TensorFile(path: folder["x"]).tensor(named: "a")
        #expect(throws: Stop.self) {
            try tensor.withBytes { (_) throws(Stop) in throw Stop() }
        }
    }

    @Test func errorsNameTheFileButNotItsFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write([1, 2, 3], to: "short")
        let expected = TensorFileError.malformed(file: "short", .tooShort(bytes: 3))
        #expect(throws: expected) { try TensorFile(path: folder["short"]) }
        #expect(!expected.message.contains("/"))
        #expect(expected.kind == .invalidInput)
    }

    @Test func anEmptyFileIsTooShort() throws {
        let folder = try TemporaryFolder()
        try folder.write([], to: "empty")
        #expect(throws: TensorFileError.malformed(file: "empty", .tooShort(bytes: 0))) {
            try TensorFile(path: folder["empty"])
        }
    }

    @Test func whatIsNoRegularFileIsRefusedAtOnce() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("inner")
        // Nobody writes into the pipe, so waiting for it would never end.
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        for name in ["inner", "pipe"] {
            #expect(throws: TensorFileError.notRegular(file: name)) {
                try TensorFile(path: folder[name])
            }
        }
        #expect(throws: TensorFileError.notRegular(file: "zero")) {
            try TensorFile(path: "/dev/zero")
        }
    }

    @Test(arguments: [
        ("no-such-file", ENOENT), ("no-such-folder/x", ENOENT), ("file/x", ENOTDIR),
        ("", EINVAL), ("nul\0name", EINVAL), ("nul\0folder/x", EINVAL), ("loop", ELOOP),
        (String(repeating: "n", count: 300), ENAMETOOLONG),
    ])
    func whatCannotBeOpenedSaysWhy(name: String, code: Int32) throws {
        let folder = try TemporaryFolder()
        try folder.write([], to: "file")
        try folder.link("loop", to: "loop")
        let last = String(name.split(separator: "/").last ?? "")
        #expect(throws: TensorFileError.unreadable(file: last, SystemError(code: code))) {
            try TensorFile(path: folder[name])
        }
    }

    @Test(arguments: [
        (ENOENT, FailureKind.notFound), (EACCES, .forbidden), (EPERM, .forbidden),
        (ENOSPC, .exhausted), (EDQUOT, .exhausted), (EFBIG, .exhausted), (EMFILE, .exhausted),
        (ENOMEM, .exhausted), (EROFS, .precondition), (EISDIR, .precondition),
        (EEXIST, .alreadyExists), (EIO, .dataLoss), (ENAMETOOLONG, .invalidInput),
        (EBADF, .broken),
    ])
    func theSystemsWordDecidesTheKind(code: Int32, kind: FailureKind) {
        let error = SystemError(code: code)
        #expect(TensorFileError.unreadable(file: "x", error).kind == kind)
        #expect(TensorWriteError.unwritable(file: "x", error).kind == kind)
        #expect(TensorWriteError.unwritable(file: "x", error).message.contains(error.words))
    }
}
