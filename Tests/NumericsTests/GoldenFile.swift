import Foundation
import TensorFiles

/// Golden values that scripts/make-goldens wrote: a safetensors file with cases in its metadata.
struct GoldenFile {
    private let file: TensorFile

    /// The folder of the op table's goldens: in the set that `FOVEA_GOLDENS` names if it has one.
    static let folder: URL = {
        let own = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/numerics")
        guard let set = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] else { return own }
        let other = URL(filePath: set).appending(path: "numerics")
        return FileManager.default.fileExists(atPath: other.path) ? other : own
    }()

    init(_ url: URL) throws { file = try TensorFile(path: url.path) }

    /// Texts by name.
    var metadata: [String: String] { file.metadata }

    /// Of all tensors, sorted.
    var names: [String] { file.tensors.map(\.name).sorted() }

    /// A tensor's type in the file's spelling, its shape and its bytes; nil if there is none.
    func tensor(_ name: String) -> (type: String, shape: [Int], bytes: ArraySlice<UInt8>)? {
        guard let tensor = try? file.tensor(named: name) else { return nil }
        let bytes = tensor.withBytes { Array($0) }
        return (tensor.stored.type.name, tensor.stored.shape, bytes[...])
    }
}
