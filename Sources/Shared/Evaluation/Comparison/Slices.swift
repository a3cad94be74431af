import Foundation
import Quality

/// Rows alike in some respect.
package struct SliceLine: Sendable, Hashable {
    /// In which, such as "sharpness".
    package let slice: String
    /// The value or range.
    package let bucket: String
    package let rows: [Int]
    /// The mean score.
    package let score: Estimate
    /// Probability of a mean so far below that of the other rows by chance, corrected by Holm over
    /// all buckets of all slices.
    package let probability: Double
    /// Whether that is below 5 %.
    package let isWorse: Bool
}

/// Where scores are lower than elsewhere.
package struct SliceReport: Sendable {
    /// By slice and bucket.
    package let lines: [SliceLine]
    /// Buckets beyond `bucketsMax` that were left out, the smallest first.
    package let leftOut: Int

    /// More buckets say little each, and cost a test each.
    package static let bucketsMax = 500
    /// The probability below which a bucket counts as worse.
    package static let probabilityMax = 0.05

    /// - Parameters:
    ///   - scores: of every row, 0 to 1
    ///   - slices: for each slice the buckets of every row; tags put a row into several
    package init(
        scores: [Double], slices: [String: [[String]]], bootstrap: Bootstrap
    ) throws(EvaluationError) {
        var buckets: [(slice: String, bucket: String, rows: [Int])] = []
        for (slice, named) in slices.sorted(by: { $0.key < $1.key }) {
            guard named.count == scores.count else {
                throw .lengthsDiffer(
                    what: "entries of slice \(slice.prefix(80))", seen: named.count,
                    expected: scores.count)
            }
            var rows: [String: [Int]] = [:]
            for (row, names) in named.enumerated() {
                for name in Set(names) { rows[name, default: []].append(row) }
            }
            buckets += rows.sorted { $0.key < $1.key }.map { (slice, $0.key, $0.value) }
        }
        let kept = buckets.indices.sorted { buckets[$0].rows.count > buckets[$1].rows.count }
            .prefix(Self.bucketsMax).sorted().map { buckets[$0] }
        leftOut = buckets.count - kept.count
        let tests = ChanceTests.holm(kept.map { Self.test($0.rows, scores) })
        lines = zip(kept, tests).map { bucket, probability in
            SliceLine(
                slice: bucket.slice, bucket: bucket.bucket, rows: bucket.rows,
                score: Self.score(bucket.rows.map { scores[$0] }, bootstrap),
                probability: probability, isWorse: probability < Self.probabilityMax)
        }
    }

    private static func test(_ rows: [Int], _ scores: [Double]) -> Double {
        var isInside = Array(repeating: false, count: scores.count)
        for row in rows { isInside[row] = true }
        let rest = scores.indices.filter { !isInside[$0] }
        return ChanceTests.isLower(rows.map { scores[$0] }, than: rest.map { scores[$0] })
    }

    private static func score(_ scores: [Double], _ bootstrap: Bootstrap) -> Estimate {
        let mean = scores.reduce(0, +) / Double(max(1, scores.count))
        let isShare = scores.allSatisfy { $0 == 0 || $0 == 1 }
        let interval =
            isShare
            ? Share(scores.count { $0 == 1 }, of: scores.count, level: bootstrap.level).interval
            : bootstrap.child("slices").interval(ofMean: scores)
        return Estimate("score", mean, interval: interval, count: scores.count)
    }
}

/// Ranges of a number with about as many rows each.
package struct NumberBuckets: Sendable, Hashable {
    /// Between the ranges, rising.
    package let edges: [Double]
    private let lowest, highest: Double

    /// - Parameter count: ranges wanted; fewer where values repeat. What is not a number is no
    ///   value.
    package init(_ values: [Double], count: Int = 5) {
        let sorted = values.filter(\.isFinite).sorted()
        (lowest, highest) = (sorted.first ?? 0, sorted.last ?? 0)
        let count = min(max(1, count), 100)
        var edges: [Double] = []
        for index in 1..<max(2, count) where !sorted.isEmpty && count > 1 {
            let edge = Quantiles.linear(sorted, Double(index) / Double(count))
            if edge > edges.last ?? lowest { edges.append(edge) }
        }
        self.edges = edges
    }

    /// The range of a value, such as "0.2 to 0.4": from its lower edge on, below its upper one.
    package func name(of value: Double) -> String {
        guard value.isFinite else { return "unknown" }
        let index = edges.firstIndex { value < $0 } ?? edges.count
        let lower = index == 0 ? lowest : edges[index - 1]
        let upper = index == edges.count ? highest : edges[index]
        return "\(Self.short(lower)) to \(Self.short(upper))"
    }

    private static func short(_ number: Double) -> String { String(format: "%.4g", number) }
}
