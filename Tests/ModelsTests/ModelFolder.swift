import GoldenModels
import Base
import Foundation
import GoldenModels
import Models
import Testing

/// A copy of a golden model's folder that a test may damage.
final class ModelFolder {
    let path: String

    init(copying golden: GoldenFamily) throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "fovea-model-\(UUID().uuidString)")
        path = url.path
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: golden.folder)
        where name != "golden" && name != "images" {
            try FileManager.default.copyItem(
                atPath: "\(golden.folder)/\(name)", toPath: "\(path)/\(name)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Changes a JSON file's object.
    func edit(_ name: String, _ change: (inout [String: Any]) -> Void) throws {
        let url = URL(filePath: "\(path)/\(name)")
        var object = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        change(&object)
        try JSONSerialization.data(withJSONObject: object).write(to: url)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
    }
}
