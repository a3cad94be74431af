import Foundation
import Testing
import Text

/// Values that other software computed; scripts/make-goldens/reference_metrics.py says how.
enum GoldenFile {
    static func read(_ name: String) throws -> JSONNode {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/evaluation/\(name).json")
        return try JSONDocument(Array(try Foundation.Data(contentsOf: file))).root
    }
}

extension JSONNode {
    /// The member of this name, which must be there.
    func needed(_ name: String) throws -> JSONNode { try #require(self[name]) }

    /// The number of this name, which must be there.
    func number(_ name: String) throws -> Double { try #require(self[name]?.double) }

    var numbers: [Double] { elements.compactMap(\.double) }
    var whole: [Int] { elements.compactMap(\.int) }
    var texts: [String] { elements.compactMap(\.string) }
    var truths: [Bool] { elements.compactMap(\.bool) }
}

/// Whether numbers are equal up to the rounding of double precision.
func isClose(_ a: Double?, _ b: Double?, within tolerance: Double = 1e-9) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}

/// Whether lists are equal up to the rounding of double precision.
func areClose(_ a: [Double], _ b: [Double], within tolerance: Double = 1e-9) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { isClose($0, $1, within: tolerance) }
}
