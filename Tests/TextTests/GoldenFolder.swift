import Base
import Foundation
import Testing
import Text

/// The folder with reference values: what `FOVEA_GOLDENS` names, else the copy in the repository.
enum GoldenFolder {
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"] { return path }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Goldens/reference").path
    }()

    /// The folders below `part` that hold the file `name`.
    static func folders(_ part: String, with name: String) -> [String] {
        let base = part.isEmpty ? path : "\(path)/\(part)"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        return names.sorted().map { "\(base)/\($0)" }
            .filter { FileManager.default.fileExists(atPath: "\($0)/\(name)") }
    }

    /// A JSON file of a folder.
    static func json(_ folder: String, _ name: String) throws -> JSONNode {
        try JSONDocument(SmallFile.read("\(folder)/\(name)").get()).root
    }
}

extension JSONNode {
    /// The numbers of an array.
    var ids: [Int32] { elements.compactMap { $0.int.flatMap { Int32(exactly: $0) } } }
}

extension String {
    /// Whether the bytes are equal; `==` takes composed and decomposed characters for equal.
    func isSame(as other: String?) -> Bool { other.map { utf8.elementsEqual($0.utf8) } ?? false }
}
