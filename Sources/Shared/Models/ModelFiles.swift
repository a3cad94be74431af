import Base
import Foundation
package import Layers
import Text

/// The JSON files of a model's folder.
package struct ModelFiles: Sendable {
    /// The folder.
    package let path: String

    /// Far above any configuration; tokenizers are read elsewhere.
    private static let bytesMax = 16 << 20

    package init(_ path: String) { self.path = path }

    /// A JSON file; nil if there is none.
    package func json(_ name: String) throws(ModelError) -> ConfigReader? {
        guard let bytes = try bytes(name) else { return nil }
        return try reader(bytes, name)
    }

    private func bytes(_ name: String) throws(ModelError) -> Bytes? {
        switch SmallFile.read("\(path)/\(name)", bytesMax: Self.bytesMax + 1) {
        case .failure(let error) where error.code == 2: return nil
        case .failure(let error): throw .unreadable(file: name, why: error.words)
        case .success(let bytes):
            guard bytes.count <= Self.bytesMax else {
                throw .badConfig(
                    field: name, seen: "\(bytes.count) bytes", allowed: "\(Self.bytesMax) bytes")
            }
            return bytes
        }
    }

    private func reader(_ bytes: Bytes, _ name: String) throws(ModelError) -> ConfigReader {
        do throws(JSONError) {
            return ConfigReader(try JSONDocument(bytes).root, file: name)
        } catch {
            throw .badConfig(
                field: name, seen: "no JSON at byte \(error.offset): \(error.why)",
                allowed: "a JSON object")
        }
    }

    /// `config.json`.
    package func config() throws(ModelError) -> ConfigReader {
        guard let config = try json("config.json") else {
            throw .unreadable(
                file: "config.json", why: "not found; is this the folder of a model?")
        }
        return config
    }

    /// What `config.json` says of quantised weights; nil if it says nothing.
    package func quantisation() throws(ModelError) -> QuantisationConfig? {
        struct Quantised: Decodable {
            let quantization_config: QuantisationConfig?
        }
        guard let bytes = try bytes("config.json") else { return nil }
        do {
            return try JSONDecoder().decode(Quantised.self, from: Data(bytes)).quantization_config
        } catch {
            throw .badConfig(
                field: "config.json: quantization_config", seen: "something else",
                allowed: "an object with quant_method")
        }
    }

    /// The settings of the image processor, wherever the version of transformers put them.
    package func imageSettings() throws(ModelError) -> ConfigReader? {
        if let own = try json("preprocessor_config.json") { return own }
        return try json("processor_config.json")?.object("image_processor")
    }
}
