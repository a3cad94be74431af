import Foundation

/// Golden values that scripts/make-goldens wrote: a safetensors file with cases in its metadata.
struct GoldenFile {
    let bytes: [UInt8]
    let metadata: [String: String]
    private let entries: [String: [String: Any]]
    private let start: Int

    /// The folder of the op table's goldens: in the set that `FOVEA_GOLDENS` names if it has one.
    static let folder: URL = {
        let own = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/numerics")
        guard let set = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] else { return own }
        let other = URL(filePath: set).appending(path: "numerics")
        return FileManager.default.fileExists(atPath: other.path) ? other : own
    }()

    init(_ url: URL) throws {
        bytes = [UInt8](try Data(contentsOf: url))
        let length = bytes.withUnsafeBytes { Int(UInt64(littleEndian: $0.load(as: UInt64.self))) }
        start = 8 + length
        let header = try JSONSerialization.jsonObject(with: Data(bytes[8..<start]))
        var entries = (header as? [String: [String: Any]]) ?? [:]
        metadata = entries.removeValue(forKey: "__metadata__") as? [String: String] ?? [:]
        self.entries = entries
    }

    /// Of all tensors, sorted.
    var names: [String] { entries.keys.sorted() }

    /// A tensor's type in the file's spelling, its shape and its bytes; nil if there is none.
    func tensor(_ name: String) -> (type: String, shape: [Int], bytes: ArraySlice<UInt8>)? {
        guard let entry = entries[name], let type = entry["dtype"] as? String,
            let shape = entry["shape"] as? [Int], let range = entry["data_offsets"] as? [Int]
        else { return nil }
        return (type, shape, bytes[start + range[0]..<start + range[1]])
    }
}
