import Base
import Foundation
import Images
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// A model folder of a golden set, found by listing it.
struct GoldenFamily: CustomTestStringConvertible, Sendable {
    let folder: String

    var testDescription: String { String(folder.split(separator: "/").last ?? "") }

    /// The folder with reference values: what `FOVEA_GOLDENS` names, else the repository's copy.
    static let root: String = {
        if let path = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] { return path }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Goldens/reference").path
    }()

    /// Models of families that are known here, with weights.
    static let all: [GoldenFamily] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { GoldenFamily(folder: "\(root)/\($0)") }.filter { model in
            guard model.has("golden/cases.json"), model.hasWeights,
                let config = try? ModelFiles(model.folder).config()
            else { return false }
            return (try? ModelFamily.of(config)) != nil
        }
    }()

    /// Quantised checkpoints without conversations of their own.
    static let quantised: [GoldenFamily] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { GoldenFamily(folder: "\(root)/\($0)") }.filter {
            $0.has("NOTE.json") && $0.hasWeights
        }
    }()

    func weights(on backend: any Backend) throws -> CheckpointSource {
        let files = ModelFiles(folder)
        return try CheckpointSource(
            try Checkpoint(folder: folder), quantisation: try files.quantisation(), on: backend,
            naming: try ModelFamily.of(try files.config()).name)
    }

    /// Those with a file or folder.
    static func all(with name: String) -> [GoldenFamily] { all.filter { $0.has(name) } }

    private var hasWeights: Bool {
        has("model.safetensors") || has("model.safetensors.index.json")
    }

    func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(name)")
    }

    /// The names of what is in one of its folders.
    func folders(_ name: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? [])
            .sorted()
    }

    func json(_ name: String) throws -> JSONNode {
        try JSONDocument(SmallFile.read("\(folder)/\(name)").get()).root
    }

    func tensors(_ name: String) throws -> TensorFile {
        try TensorFile(path: "\(folder)/\(name)")
    }

    func load(
        trainable: Bool = false, on backend: any Backend
    ) throws -> LoadedModel {
        let plan = WeightPlan(type: .float32, isTrainable: { _ in trainable })
        return try LoadedModel(folder: folder, plan, on: backend)
    }

    /// The conversations, in order.
    func cases() throws -> [GoldenCase] {
        let nodes = try #require(try json("golden/cases.json")["cases"])
        return try nodes.elements.enumerated().map { index, node in
            try GoldenCase(node, index: index, of: self)
        }
    }
}

/// One conversation with what the model makes of it.
struct GoldenCase: Sendable {
    let name: String
    let node: JSONNode
    let messages: [ChatMessage]
    let pictures: [RGBImage]
    let tensors: TensorFile

    init(_ node: JSONNode, index: Int, of model: GoldenFamily) throws {
        self.node = node
        name = try #require(node["name"]?.string)
        messages = try #require(node["messages"]).elements.map(ChatMessage.init(golden:))
        pictures = try (node["images"]?.elements.compactMap(\.string) ?? []).map { name in
            let bytes = try SmallFile.read("\(model.folder)/\(name)", bytesMax: 1 << 26).get()
            return try DecodedImage(decoding: bytes).image
        }
        tensors = try model.tensors("golden/case\(index)_\(name).safetensors")
    }

    func input(_ model: LoadedModel, forGeneration: Bool = false) throws -> ModelInput {
        let messages = forGeneration ? Array(messages.dropLast()) : messages
        return try model.inputs.input(messages, pictures, forGeneration: forGeneration)
    }

    func numbers(_ name: String) -> [Double] {
        node[name]?.elements.compactMap(\.double) ?? []
    }
}

extension ChatMessage {
    fileprivate init(golden node: JSONNode) throws {
        let role = try #require(node["role"]?.string.flatMap(Role.init(rawValue:)))
        let content = try #require(node["content"])
        if let text = content.string {
            self.init(role, text)
        } else {
            self.init(
                role,
                content.elements.map { part in
                    part["type"]?.string == "image" ? .image : .text(part["text"]?.string ?? "")
                })
        }
    }
}

extension TensorFile {
    func has(_ name: String) -> Bool { tensors.contains { $0.name == name } }

    /// A float32 tensor; nil if there is none of that name.
    func floats(_ name: String) throws -> [Float]? {
        guard has(name) else { return nil }
        return try tensor(named: name).withBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
    }

    /// An int64 tensor.
    func integers(_ name: String) throws -> [Int] {
        try tensor(named: name).withBytes { bytes in
            (0..<bytes.count / 8).map {
                Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
            }
        }
    }

    func shape(_ name: String) throws -> [Int] { try tensor(named: name).stored.shape }
}

/// The largest difference of two lists of the same length.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// √Σ(a - b)² / √Σb², with sums in double.
func relativeDistance(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    let far = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let size = b.reduce(0.0) { $0 + pow(Double($1), 2) }
    return (far / max(size, 1e-30)).squareRoot()
}

/// The processor, with as many threads as the machine has.
let cpu: CPUBackend = {
    do { return try CPUBackend() } catch { preconditionFailure("no backend: \(error)") }
}()

extension JSONNode {
    var int32: Int32? { int.flatMap { Int32(exactly: $0) } }
}
