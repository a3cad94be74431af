import Base
import Foundation
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing

/// Adapters and merged models for `make test-peers`, where other software loads them: written only
/// if FOVEA_PEER_FOLDER names a folder.
@Suite(.enabled(if: PeerFolder.root != nil))
struct PeerFolderTests {
    @Test(arguments: GoldenFamily.all, PeerFolder.kinds)
    func adaptersAreWritten(golden: GoldenFamily, kind: PeerFolder.Kind) throws {
        let folder = try PeerFolder(golden, kind)
        let model = try golden.load(trainable: true, on: cpu)
        var adapter = try Adapter(kind.spec, starting: RandomKey(seed: 11), in: model)
        // A new adapter changes nothing, so nothing would be compared.
        adapter.parameters = NamedTensors(
            adapter.parameters.map { name, tensor in
                let noise = Tensor.normal(tensor.shape, RandomKey(seed: 12).child(name), on: cpu)
                return (name, tensor + noise * 0.05)
            })
        try adapter.write(to: folder.make("adapter"))
        var merge = AdapterMerge(adapter, in: model, base: golden.folder)
        merge.type = .float32
        try merge.write(to: folder.make("merged"))
        let input = try #require(try golden.cases().first).input(model)
        let logits = model.model.logits([input], Pass().with(adapter.bound))
        let layout = try TensorFileLayout([
            PlannedTensor("logits", .float32, logits.shape.extents)
        ])
        let writer = try TensorFileWriter(layout, at: "\(folder.path)/expected.safetensors")
        try logits.bytes().withUnsafeBytes { try writer.append($0, to: "logits") }
        try writer.finish()
    }
}

/// Where one model and one kind of adapter are written.
struct PeerFolder {
    struct Kind: Sendable, CustomTestStringConvertible {
        let name: String
        let spec: AdapterSpec

        var testDescription: String { name }
    }

    static let root = ProcessInfo.processInfo.environment["FOVEA_PEER_FOLDER"]

    static let kinds: [Kind] = {
        var patterns = AdapterSpec(targets: .names(["q_proj", "v_proj", "down_proj", "fc1"]))
        (patterns.rank, patterns.isRankStabilised) = (4, true)
        patterns.excluded = .names(["layers.0.self_attn.v_proj"])
        patterns.ranks = [AdapterRule("layers.0.*q_proj", 2), AdapterRule("down_proj", 6)]
        patterns.alphas = [AdapterRule("q_proj", 5)]
        var whole = AdapterSpec(targets: .pattern(".*language_model.*\\.[kvo]_proj"))
        whole.wholeModules = ["norm"]
        return [
            Kind(name: "all-linear", spec: AdapterSpec(targets: .allLinear)),
            Kind(name: "patterns", spec: patterns), Kind(name: "whole", spec: whole),
        ]
    }()

    let path: String

    init(_ golden: GoldenFamily, _ kind: Kind) throws {
        let root = try #require(Self.root)
        path = "\(root)/\(golden.description)/\(kind.name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try golden.folder.write(toFile: "\(path)/base.txt", atomically: true, encoding: .utf8)
    }

    func make(_ name: String) throws -> String {
        let folder = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        return folder
    }
}
