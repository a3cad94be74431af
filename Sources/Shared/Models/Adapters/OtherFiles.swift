import Base
import Foundation
import TensorFiles
import Text

/// The files of a model's folder besides its weights.
struct OtherFiles {
    private let folder: String

    /// Endings of files with weights, of this format or others, and their indices.
    private static let weights = [
        ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx", ".index.json",
    ]
    /// Far above any tokenizer.
    private static let bytesMax = 256 << 20

    init(_ folder: String) { self.folder = folder }

    /// Copies them.
    /// - Parameter isUnpacked: whether what they say of quantised weights no longer holds
    func copy(to target: String, isUnpacked: Bool) throws(AdapterError) {
        for name in try names() {
            if isUnpacked, name == "quantize_config.json" { continue }
            let bytes: Bytes
            switch SmallFile.read("\(folder)/\(name)", bytesMax: Self.bytesMax + 1) {
            case .failure(let error): throw .config(.unreadable(file: name, why: error.words))
            case .success(let read): bytes = read
            }
            guard bytes.count <= Self.bytesMax else {
                throw .outOfRange(
                    field: name, seen: "over \(Self.bytesMax) bytes",
                    allowed: "\(Self.bytesMax) bytes")
            }
            let isConfig = isUnpacked && name == "config.json"
            do {
                try WholeFile.write(isConfig ? plain(bytes) : bytes, to: target, as: name)
            } catch {
                throw .writing(error)
            }
        }
    }

    private func names() throws(AdapterError) -> [String] {
        let all: [String]
        do {
            all = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw .config(.unreadable(file: "the base's folder", why: "it cannot be listed"))
        }
        return all.sorted().filter { name in
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: "\(folder)/\(name)", isDirectory: &isFolder)
            return exists && !isFolder.boolValue && !name.hasPrefix(".")
                && !Self.weights.contains { name.hasSuffix($0) }
        }
    }

    /// A configuration that says nothing of quantised weights.
    private func plain(_ config: Bytes) -> Bytes {
        // The model was loaded from it, so it is JSON.
        guard let root = try? JSONDocument(config).root else { return config }
        return Bytes(root.printed(omitting: ["quantization_config"]))
    }
}
