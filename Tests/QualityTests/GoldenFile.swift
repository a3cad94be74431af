import Foundation
import Testing
import Text

/// Values that other software computed; scripts/make-goldens/quality_*.py say how.
enum GoldenFile {
    static func read(_ name: String) throws -> JSONNode {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/quality/\(name).json")
        return try JSONDocument(Array(try Foundation.Data(contentsOf: file))).root
    }
}

extension JSONNode {
    /// The member of this name, which must be there.
    func needed(_ name: String) throws -> JSONNode { try #require(self[name]) }

    var numbers: [Double] { elements.compactMap(\.double) }
    var whole: [Int] { elements.compactMap(\.int) }
    var texts: [String] { elements.compactMap(\.string) }
}

/// Whether numbers are equal up to the rounding of double precision.
func isClose(_ a: Double?, _ b: Double?, within tolerance: Double = 1e-9) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}
