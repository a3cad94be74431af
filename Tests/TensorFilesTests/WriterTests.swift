import Base
import Glibc
import Testing

@testable import TensorFiles

/// Writing single files.
struct WriterTests {
    private let layout: TensorFileLayout

    init() throws {
        layout = try TensorFileLayout(
            [
                PlannedTensor("bytes", .uint8, [3]), PlannedTensor("none", .float32, [0, 7]),
                PlannedTensor("wide", .float64, [2]), PlannedTensor("last", .bool, []),
            ], metadata: ["k": "v"])
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let folder = try TemporaryFolder()
        let writer = try TensorFileWriter(layout, at: folder["x"])
        #expect(layout.tensors.map(\.name) == ["wide", "none", "bytes", "last"])
        for tensor in layout.tensors {
            try writer.append(RawFile.counting(tensor.range.count), to: tensor.name)
        }
        try writer.finish()
        let file = try TensorFile(path: folder["x"])
        #expect(file.tensors == layout.tensors)
        #expect(file.metadata == ["k": "v"])
        #expect(try file.tensor(named: "wide").bytes == RawFile.counting(16))
        #expect(try file.tensor(named: "none").bytes == [])
        #expect(try folder.read("x").count == layout.fileBytes)
        #expect(try folder.names == ["x"])
    }

    @Test func bytesMayComeInPieces() throws {
        let folder = try TemporaryFolder()
        let writer = try TensorFileWriter(layout, at: folder["x"])
        for byte in RawFile.counting(16) { try writer.append([byte], to: "wide") }
        try writer.append([0, 1], to: "bytes")
        try writer.append([], to: "bytes")
        try writer.append([2], to: "bytes")
        try writer.append([1], to: "last")
        try writer.finish()
        #expect(try TensorFile(path: folder["x"]).tensor(named: "bytes").bytes == [0, 1, 2])
    }

    @Test func aWriterThatIsLetGoLeavesTheOldFile() throws {
        let folder = try TemporaryFolder()
        try folder.write("old", to: "x")
        do {
            let writer = try TensorFileWriter(layout, at: folder["x"])
            try writer.append(RawFile.counting(16), to: "wide")
            #expect(try folder.names.count == 2)
        }
        #expect(try folder.names == ["x"])
        #expect(try folder.read("x") == Array("old".utf8))
    }

    @Test func aFinishedFileReplacesTheOldOneForNewReadersOnly() throws {
        let folder = try TemporaryFolder()
        try folder.write(RawFile.bytes(of: [PlannedTensor("old", .uint8, [2])]), to: "x")
        let before = try TensorFile(path: folder["x"]).tensor(named: "old")
        try TensorFileWriter(TensorFileLayout([]), at: folder["x"]).finish()
        #expect(try TensorFile(path: folder["x"]).tensors.isEmpty)
        #expect(before.bytes == [0, 1])
    }

    @Test func bytesOutOfTurnAreRefused() throws {
        let folder = try TemporaryFolder()
        let writer = try TensorFileWriter(layout, at: folder["x"])
        #expect(throws: TensorWriteError.outOfTurn(tensor: "bytes", expected: "wide")) {
            try writer.append([1], to: "bytes")
        }
        try writer.append(RawFile.counting(16), to: "wide")
        try writer.append([1, 2, 3], to: "bytes")
        try writer.append([1], to: "last")
        #expect(throws: TensorWriteError.outOfTurn(tensor: "last", expected: nil)) {
            try writer.append([1], to: "last")
        }
    }

    @Test func tooManyAndTooFewBytesAreRefused() throws {
        let folder = try TemporaryFolder()
        let writer = try TensorFileWriter(layout, at: folder["x"])
        try writer.append(RawFile.counting(10), to: "wide")
        #expect(throws: TensorWriteError.tooManyBytes(tensor: "wide", bytes: 17, bytesMax: 16)) {
            try writer.append(RawFile.counting(7), to: "wide")
        }
        #expect(throws: TensorWriteError.unfinished(tensor: "wide", bytes: 10, expected: 16)) {
            try writer.finish()
        }
    }

    @Test func aWriteThatFailedIsNeverForgotten() throws {
        let folder = try TemporaryFolder()
        let writer = try TensorFileWriter(layout, at: folder["x"])
        // Memory that nobody may read, so that the system refuses to write it.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let page = try #require(mmap(nil, 4096, PROT_NONE, flags, -1, 0))
        let secret = UnsafeRawBufferPointer(start: page, count: 16)
        let error = TensorWriteError.unwritable(file: "x", SystemError(code: Glibc.EFAULT))
        #expect(throws: error) { try writer.append(secret, to: "wide") }
        munmap(page, 4096)
        #expect(throws: error) { try writer.append([1, 2, 3], to: "bytes") }
        #expect(throws: error) { try writer.append([1], to: "last") }
        #expect(throws: error) { try writer.finish() }
        #expect(try folder.names.count == 1)
        #expect(throws: TensorFileError.self) { try TensorFile(path: folder["x"]) }
    }

    @Test func aFileThatNoDiskHoldsIsRefusedAtOnce() throws {
        let folder = try TemporaryFolder()
        let huge = try TensorFileLayout([PlannedTensor("x", .uint8, [1 << 59])])
        let error = #expect(throws: TensorWriteError.self) {
            try TensorFileWriter(huge, at: folder["x"])
        }
        #expect(error?.kind == .exhausted)
        #expect(try folder.names.isEmpty)
    }

    @Test func aFolderThatIsNotThereIsSaid() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "file")
        for (path, code) in [("none/x", Glibc.ENOENT), ("file/x", Glibc.ENOTDIR)] {
            #expect(throws: TensorWriteError.unwritable(file: "x", SystemError(code: code))) {
                try TensorFileWriter(layout, at: folder[path])
            }
        }
    }

    @Test func aFolderInTheWayStaysAndNothingElseDoes() throws {
        let folder = try TemporaryFolder()
        try folder.makeFolder("x")
        let error = TensorWriteError.unwritable(file: "x", SystemError(code: Glibc.EISDIR))
        #expect(throws: error) {
            try TensorFileWriter(TensorFileLayout([]), at: folder["x"]).finish()
        }
        #expect(try folder.names == ["x"])
    }

    @Test func tensorsThatCannotBeWrittenAreRefused() {
        let a = PlannedTensor("a", .uint8, [1])
        expect(.duplicate(name: "a"), for: [a, PlannedTensor("a", .float32, [])])
        expect(
            .nameTooLong(bytes: 1025, bytesMax: 1024),
            for: [PlannedTensor(String(repeating: "n", count: 1025), .uint8, [1])])
        expect(.reservedName, for: [PlannedTensor("__metadata__", .uint8, [])])
        expect(
            .notACount(tensor: "x", field: "shape", seen: "-1"),
            for: [PlannedTensor("x", .uint8, [-1])])
        expect(.tooLarge(tensor: "x", shape: [.max]), for: [PlannedTensor("x", .uint16, [.max])])
        let axes = [Int](repeating: 1, count: 65)
        expect(
            .tooMany(what: "numbers in shape of 'x'", countMax: 64),
            for: [PlannedTensor("x", .uint8, axes)])
    }

    @Test func metadataThatCouldNotBeReadIsRefused() {
        let many = Dictionary(uniqueKeysWithValues: (0...4096).map { (String($0), "") })
        #expect(throws: FormatError.tooMany(what: "metadata", countMax: 4096)) {
            try TensorFileLayout([], metadata: many)
        }
        #expect(throws: FormatError.nameTooLong(bytes: 2000, bytesMax: 1024)) {
            try TensorFileLayout([], metadata: [String(repeating: "é", count: 1000): ""])
        }
    }

    private func expect(_ error: FormatError, for tensors: [PlannedTensor]) {
        #expect(throws: error) { try TensorFileLayout(tensors) }
    }

    @Test func everyErrorHasWordsAndAKind() {
        let errors: [TensorWriteError] = [
            .occupied(file: "x"), .outOfTurn(tensor: "t", expected: nil),
            .tooManyBytes(tensor: "t", bytes: 2, bytesMax: 1),
            .unfinished(tensor: "t", bytes: 1, expected: 2),
        ]
        #expect(Set(errors.map(\.message)).count == errors.count)
        #expect(errors.map(\.kind) == [.alreadyExists, .broken, .broken, .broken])
        #expect(Set(errors.map(\.reason)) == ["CHECKPOINT_EXISTS", "TENSOR_BYTES_MISMATCH"])
    }
}

/// Writing checkpoints.
struct CheckpointWriterTests {
    private let tensors = (0..<7).map { PlannedTensor("t\($0)", .uint8, [$0 * 10]) }

    private func write(_ plan: CheckpointPlan, to folder: TemporaryFolder) throws {
        let writer = try CheckpointWriter(plan, folder: folder.path)
        for tensor in plan.tensors {
            try writer.append(RawFile.counting(tensor.range.count), to: tensor.name)
        }
        try writer.finish()
    }

    @Test(arguments: [1, 10, 55, 60, 100, 1000])
    func whatIsWrittenIsReadAgain(shardBytesMax: Int) throws {
        let folder = try TemporaryFolder()
        let plan = try CheckpointPlan(
            tensors, shardBytesMax: shardBytesMax, metadata: ["format": "pt"])
        try write(plan, to: folder)
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.tensors.count == tensors.count)
        for tensor in tensors {
            let bytes = try checkpoint.tensor(named: tensor.name).bytes
            #expect(bytes == RawFile.counting(tensor.shape[0]))
        }
        #expect(checkpoint.files.allSatisfy { $0.metadata == ["format": "pt"] })
        #expect(plan.dataBytes == 210)
        for shard in plan.shards where shard.layout.tensors.count > 1 {
            #expect(shard.layout.dataBytes <= shardBytesMax)
        }
    }

    @Test func oneFileHasNoIndex() throws {
        let folder = try TemporaryFolder()
        try write(CheckpointPlan(tensors, shardBytesMax: 210, stem: "adapter"), to: folder)
        #expect(try folder.names == ["adapter.safetensors"])
    }

    @Test func filesAreNumberedFromOne() throws {
        let folder = try TemporaryFolder()
        try write(CheckpointPlan(tensors, shardBytesMax: 100), to: folder)
        let expected = (1...3).map { "model-0000\($0)-of-00003.safetensors" }
        #expect(try folder.names == expected + ["model.safetensors.index.json"])
    }

    @Test func aModelWithoutTensorsIsOneFile() throws {
        let folder = try TemporaryFolder()
        try write(CheckpointPlan([], shardBytesMax: 1), to: folder)
        #expect(try Checkpoint(folder: folder.path).tensors.isEmpty)
    }

    @Test func aWriterThatIsLetGoLeavesNothing() throws {
        let folder = try TemporaryFolder()
        do {
            let plan = try CheckpointPlan(tensors, shardBytesMax: 60)
            let writer = try CheckpointWriter(plan, folder: folder.path)
            for tensor in plan.tensors.dropLast() {
                try writer.append(RawFile.counting(tensor.range.count), to: tensor.name)
            }
            #expect(try folder.names.count > 1)
            #expect(throws: TensorWriteError.unfinished(tensor: "t6", bytes: 0, expected: 60)) {
                try writer.finish()
            }
        }
        #expect(try folder.names.isEmpty)
    }

    @Test func aFolderWithACheckpointIsRefused() throws {
        for name in ["model.safetensors", "model.safetensors.index.json"] {
            let folder = try TemporaryFolder()
            try folder.write("", to: name)
            #expect(throws: TensorWriteError.occupied(file: name)) {
                try write(CheckpointPlan(tensors, shardBytesMax: 55), to: folder)
            }
            #expect(try folder.names == [name])
        }
    }

    @Test func aNameInTwoFilesIsRefused() {
        #expect(throws: FormatError.duplicate(name: "t1")) {
            try CheckpointPlan(tensors + [tensors[1]], shardBytesMax: 10)
        }
    }

    @Test func aFolderThatIsNotThereIsSaid() throws {
        let folder = try TemporaryFolder()
        #expect(throws: TensorWriteError.unwritable(file: "x", SystemError(code: Glibc.ENOENT))) {
            try CheckpointWriter(CheckpointPlan([], shardBytesMax: 1), folder: folder["x"])
        }
    }
}
