import Base
import Foundation
import Testing

@testable import TensorFiles

/// Files of the Python library: scripts/make-goldens/safetensors_files.py.
struct TensorFilesGoldenTests {
    /// What a file holds, as Python says.
    private struct Contents: Decodable {
        struct Tensor: Decodable {
            let name: String
            let type: String
            let shape: [Int]
            let bytes: String
        }

        let metadata: [String: String]
        let tensors: [Tensor]

        /// All but the bytes.
        func planned() throws -> [PlannedTensor] {
            try tensors.map { tensor in
                let type = try #require(StoredType(named: tensor.type))
                return PlannedTensor(tensor.name, type, tensor.shape)
            }
        }

        /// The bytes of a tensor.
        func bytes(_ name: String) throws -> [UInt8] {
            let tensor = try #require(tensors.first { $0.name == name })
            let digits = Array(tensor.bytes)
            return try stride(from: 0, to: digits.count, by: 2).map { position in
                try #require(UInt8(String(digits[position..<position + 2]), radix: 16))
            }
        }
    }

    private static let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Goldens/safetensors")

    private static let files = ["every_type", "shapes", "names", "metadata", "empty", "numpy"]

    private func contents(_ name: String) throws -> Contents {
        let json = try Foundation.Data(
            contentsOf: Self.own.appendingPathComponent("expected.json"))
        let all = try JSONDecoder().decode([String: Contents].self, from: json)
        return try #require(all[name])
    }

    private func golden(_ path: String) throws -> [UInt8] {
        Array(try Foundation.Data(contentsOf: Self.own.appendingPathComponent(path)))
    }

    @Test(arguments: files)
    func aFileOfPythonReadsAsPythonWroteIt(name: String) throws {
        let contents = try contents(name)
        let path = Self.own.appendingPathComponent("\(name).safetensors").path
        let file = try TensorFile(path: path)
        #expect(file.metadata == contents.metadata)
        #expect(file.tensors.count == contents.tensors.count)
        for expected in try contents.planned() {
            let tensor = try file.tensor(named: expected.name)
            #expect(tensor.stored.type == expected.type)
            #expect(tensor.stored.shape == expected.shape)
            #expect(try tensor.bytes == contents.bytes(expected.name))
        }
    }

    // Python orders metadata at random, so the file with several entries cannot be equal.
    @Test(arguments: files.filter { $0 != "metadata" })
    func ourFileEqualsThatOfPython(name: String) throws {
        let contents = try contents(name)
        let folder = try TemporaryFolder()
        let layout = try TensorFileLayout(
            contents.planned().shuffled(), metadata: contents.metadata)
        let writer = try TensorFileWriter(layout, at: folder["x"])
        for tensor in layout.tensors {
            try writer.append(contents.bytes(tensor.name), to: tensor.name)
        }
        try writer.finish()
        #expect(try folder.read("x") == golden("\(name).safetensors"))
    }

    @Test func aCheckpointOfPythonReadsAsPythonWroteIt() throws {
        let contents = try contents("sharded")
        let checkpoint = try Checkpoint(folder: Self.own.appendingPathComponent("sharded").path)
        #expect(checkpoint.tensors.count == contents.tensors.count)
        for tensor in contents.tensors {
            let bytes = try checkpoint.tensor(named: tensor.name).bytes
            #expect(try bytes == contents.bytes(tensor.name))
        }
    }

    @Test func ourCheckpointEqualsThatOfPython() throws {
        let contents = try contents("sharded")
        let folder = try TemporaryFolder()
        let plan = try CheckpointPlan(
            contents.planned(), shardBytesMax: 64, metadata: contents.metadata)
        let writer = try CheckpointWriter(plan, folder: folder.path)
        for tensor in plan.tensors {
            try writer.append(contents.bytes(tensor.name), to: tensor.name)
        }
        try writer.finish()
        let theirs = try FileManager.default.contentsOfDirectory(
            atPath: Self.own.appendingPathComponent("sharded").path)
        #expect(try folder.names == theirs.sorted())
        for name in theirs { #expect(try folder.read(name) == golden("sharded/\(name)")) }
    }

    @Test func everyFileOfTheFolderSurvivesBeingWrittenAgain() throws {
        let folder = try TemporaryFolder()
        let paths = try Self.paths(endingIn: ".safetensors")
        #expect(!paths.isEmpty)
        for path in paths {
            let file = try TensorFile(path: path)
            let planned = file.tensors.map { PlannedTensor($0.name, $0.type, $0.shape) }
            let layout = try TensorFileLayout(planned, metadata: file.metadata)
            let writer = try TensorFileWriter(layout, at: folder["copy"])
            for tensor in layout.tensors {
                try file.tensor(named: tensor.name).withBytes {
                    try writer.append($0, to: tensor.name)
                }
            }
            try writer.finish()
            try expectEqual(file, TensorFile(path: folder["copy"]), path)
        }
    }

    @Test func everyCheckpointOfTheFolderOpens() throws {
        for path in try Self.paths(endingIn: ".safetensors.index.json") {
            let url = URL(fileURLWithPath: path)
            let stem = url.lastPathComponent.prefix { $0 != "." }
            let checkpoint = try Checkpoint(
                folder: url.deletingLastPathComponent().path, stem: String(stem))
            for tensor in checkpoint.tensors {
                _ = try checkpoint.tensor(named: tensor.name)
            }
        }
    }

    private func expectEqual(_ a: TensorFile, _ b: TensorFile, _ path: String) throws {
        #expect(a.metadata == b.metadata, "\(path)")
        for stored in a.tensors {
            let (one, other) = try (a.tensor(named: stored.name), b.tensor(named: stored.name))
            #expect(one.stored.type == other.stored.type && one.stored.shape == other.stored.shape)
            let isEqual = one.withBytes { a in
                other.withBytes { b in a.count == b.count && a.elementsEqual(b) }
            }
            #expect(isEqual, "\(stored.name) of \(path)")
        }
    }

    /// The files below the folder of goldens whose names end so.
    private static func paths(endingIn suffix: String) throws -> [String] {
        let chosen = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"]
        let root = chosen ?? own.path
        let walk = try #require(FileManager.default.enumerator(atPath: root))
        return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.sorted()
            .map { "\(root)/\($0)" }
    }
}
