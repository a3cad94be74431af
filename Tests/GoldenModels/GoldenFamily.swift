import Base
import Foundation
package import Images
package import Layers
package import Models
package import Numerics
package import TensorFiles
package import Text

/// A model folder of a golden set, found by listing it.
package struct GoldenFamily: CustomStringConvertible, Sendable {
    package let folder: String

    package var description: String { String(folder.split(separator: "/").last ?? "") }

    package init(folder: String) { self.folder = folder }

    /// The folder with reference values: what `FOVEA_GOLDENS` names, else the repository's copy.
    package static let root: String = {
        if let path = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] { return path }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Goldens/reference").path
    }()

    /// Models of families that are known here, with weights.
    package static let all: [GoldenFamily] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { GoldenFamily(folder: "\(root)/\($0)") }.filter { model in
            guard model.has("golden/cases.json"), model.hasWeights,
                let config = try? ModelFiles(model.folder).config()
            else { return false }
            return (try? ModelFamily.of(config)) != nil
        }
    }()

    /// Quantised checkpoints without conversations of their own.
    package static let quantised: [GoldenFamily] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.sorted().map { GoldenFamily(folder: "\(root)/\($0)") }.filter {
            $0.has("NOTE.json") && $0.hasWeights
        }
    }()

    /// Its tensors, by their names in memory.
    package func weights(on backend: any Backend) throws -> CheckpointSource {
        let files = ModelFiles(folder)
        return try CheckpointSource(
            try Checkpoint(folder: folder), quantisation: try files.quantisation(), on: backend,
            naming: try ModelFamily.of(try files.config()).name)
    }

    /// Those with a file or folder.
    package static func all(with name: String) -> [GoldenFamily] { all.filter { $0.has(name) } }

    private var hasWeights: Bool {
        has("model.safetensors") || has("model.safetensors.index.json")
    }

    /// Whether the folder has a file or folder.
    package func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(name)")
    }

    /// The names of what is in one of its folders.
    package func folders(_ name: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? [])
            .sorted()
    }

    /// A JSON file of the folder.
    package func json(_ name: String) throws -> JSONNode {
        try JSONDocument(SmallFile.read("\(folder)/\(name)").get()).root
    }

    /// A safetensors file of the folder.
    package func tensors(_ name: String) throws -> TensorFile {
        try TensorFile(path: "\(folder)/\(name)")
    }

    /// The model in float32.
    package func load(
        trainable: Bool = false, on backend: any Backend
    ) throws -> LoadedModel {
        let plan = WeightPlan(type: .float32, isTrainable: { _ in trainable })
        return try LoadedModel(folder: folder, plan, on: backend)
    }

    /// The conversations, in order.
    package func cases() throws -> [GoldenCase] {
        let nodes = try json("golden/cases.json").required("cases")
        return try nodes.elements.enumerated().map { index, node in
            try GoldenCase(node, index: index, of: self)
        }
    }
}

/// One conversation with what the model makes of it.
package struct GoldenCase: Sendable {
    package let name: String
    /// What the list of cases says about it.
    package let node: JSONNode
    package let messages: [ChatMessage]
    package let pictures: [RGBImage]
    /// Its reference values.
    package let tensors: TensorFile

    init(_ node: JSONNode, index: Int, of model: GoldenFamily) throws {
        self.node = node
        name = try node.required("name").string ?? ""
        messages = try node.required("messages").elements.map(ChatMessage.init(golden:))
        pictures = try (node["images"]?.elements.compactMap(\.string) ?? []).map { name in
            let bytes = try SmallFile.read("\(model.folder)/\(name)", bytesMax: 1 << 26).get()
            return try DecodedImage(decoding: bytes).image
        }
        tensors = try model.tensors("golden/case\(index)_\(name).safetensors")
    }

    /// What the model reads of it.
    /// - Parameter forGeneration: without the last answer
    package func input(_ model: LoadedModel, forGeneration: Bool = false) throws -> ModelInput {
        let messages = forGeneration ? Array(messages.dropLast()) : messages
        return try model.inputs.input(messages, pictures, forGeneration: forGeneration)
    }

    /// A list of numbers of `node`.
    package func numbers(_ name: String) -> [Double] {
        node[name]?.elements.compactMap(\.double) ?? []
    }
}

extension ChatMessage {
    fileprivate init(golden node: JSONNode) throws {
        guard let role = node["role"]?.string.flatMap(Role.init(rawValue:)) else {
            throw GoldenError(missing: "role")
        }
        let content = try node.required("content")
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
    /// Whether there is a tensor of that name.
    package func has(_ name: String) -> Bool { tensors.contains { $0.name == name } }

    /// A float32 tensor; nil if there is none of that name.
    package func floats(_ name: String) throws -> [Float]? {
        guard has(name) else { return nil }
        return try tensor(named: name).withBytes { bytes in
            (0..<bytes.count / 4).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
            }
        }
    }

    /// An int64 tensor.
    package func integers(_ name: String) throws -> [Int] {
        try tensor(named: name).withBytes { bytes in
            (0..<bytes.count / 8).map {
                Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
            }
        }
    }

    /// The axes of a tensor.
    package func shape(_ name: String) throws -> [Int] { try tensor(named: name).stored.shape }
}

/// Reference values that lack something.
package struct GoldenError: Error {
    let missing: String
}

/// The largest difference of two lists of the same length.
package func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// √Σ(a - b)² / √Σb², with sums in double.
package func relativeDistance(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    let far = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let size = b.reduce(0.0) { $0 + pow(Double($1), 2) }
    return (far / max(size, 1e-30)).squareRoot()
}

/// The processor, with as many threads as the machine has.
package let cpu: CPUBackend = {
    do { return try CPUBackend() } catch { preconditionFailure("no backend: \(error)") }
}()

extension JSONNode {
    /// A member that must be there.
    package func required(_ name: String) throws -> JSONNode {
        guard let member = self[name] else { throw GoldenError(missing: name) }
        return member
    }

    /// A number of 32 bits.
    package var int32: Int32? { int.flatMap { Int32(exactly: $0) } }
}
