import Foundation
package import Quality

/// Answers with about the same confidence.
package struct ConfidenceBin: Sendable, Hashable {
    /// Inclusive.
    package let lower: Double
    /// Exclusive but for the last bin.
    package let upper: Double
    package let count: Int
    /// 0 for an empty bin.
    package let meanConfidence: Double
    /// Share of right answers; 0 for an empty bin.
    package let accuracy: Double
}

/// What happens if answers below a confidence go to a person.
package struct AbstentionStep: Sendable, Hashable {
    /// The lowest confidence that is still answered.
    package let threshold: Double
    /// Of all rows, those answered.
    package let coverage: Double
    /// Of those, the wrong ones.
    package let errors: Share
}

/// How far the confidence of answers can be trusted.
package struct ConfidenceReport: Sendable {
    /// Expected calibration error: the mean distance of confidence and accuracy over bins of
    /// equal width, by their rows (Naeini et al. 2015).
    package let expectedError: Double
    /// The largest distance of a bin.
    package let largestError: Double
    /// Mean squared distance of confidence and outcome.
    package let brierScore: Double
    package let bins: [ConfidenceBin]
    /// From the lowest threshold, at which all is answered, up; at most `stepsMax` steps.
    package let abstention: [AbstentionStep]

    /// More thresholds are thinned out evenly.
    package static let stepsMax = 100

    /// - Parameters:
    ///   - confidences: 0 to 1
    ///   - binCount: 1 to 1,000
    package init(
        confidences: [Double], isRight: [Bool], binCount: Int = 10, level: Double = 0.95
    ) throws(EvaluationError) {
        try Self.check(confidences, isRight)
        let binCount = min(max(1, binCount), 1_000)
        var sums = Array(repeating: (count: 0, confidence: 0.0, right: 0), count: binCount)
        for (confidence, isRight) in zip(confidences, isRight) {
            let bin = min(Int(confidence * Double(binCount)), binCount - 1)
            sums[bin].count += 1
            sums[bin].confidence += confidence
            sums[bin].right += isRight ? 1 : 0
        }
        bins = sums.enumerated().map { index, sum in
            ConfidenceBin(
                lower: Double(index) / Double(binCount),
                upper: Double(index + 1) / Double(binCount), count: sum.count,
                meanConfidence: sum.confidence / Double(max(1, sum.count)),
                accuracy: Double(sum.right) / Double(max(1, sum.count)))
        }
        let rows = Double(max(1, confidences.count))
        let errors = bins.map { abs($0.accuracy - $0.meanConfidence) }
        expectedError = zip(bins, errors).reduce(0) { $0 + Double($1.0.count) * $1.1 } / rows
        largestError = errors.max() ?? 0
        brierScore =
            zip(confidences, isRight).reduce(0) { $0 + pow($1.0 - ($1.1 ? 1 : 0), 2) } / rows
        abstention = Self.steps(confidences, isRight, level)
    }

    /// The lowest threshold at which the error rate surely stays within a limit, by the upper end
    /// of its interval; nil if there is none.
    package func threshold(errorsMax: Double) -> AbstentionStep? {
        abstention.first { ($0.errors.interval?.upper ?? 1) <= errorsMax }
    }

    private static func check(_ confidences: [Double], _ isRight: [Bool]) throws(EvaluationError) {
        guard confidences.count == isRight.count else {
            throw .lengthsDiffer(
                what: "confidences", seen: confidences.count, expected: isRight.count)
        }
        for (row, confidence) in confidences.enumerated() {
            guard confidence.isFinite else { throw .notFinite(what: "the confidence", row: row) }
            guard (0...1).contains(confidence) else {
                throw .outOfRange(what: "the confidence", row: row, seen: confidence)
            }
        }
    }

    private static func steps(
        _ confidences: [Double], _ isRight: [Bool], _ level: Double
    ) -> [AbstentionStep] {
        let order = confidences.indices.sorted { confidences[$0] > confidences[$1] }
        var wrong = 0
        var all: [AbstentionStep] = []
        for (place, row) in order.enumerated() {
            if !isRight[row] { wrong += 1 }
            let isLast = place + 1 == order.count
            guard isLast || confidences[order[place + 1]] < confidences[row] else { continue }
            all.append(
                AbstentionStep(
                    threshold: confidences[row],
                    coverage: Double(place + 1) / Double(order.count),
                    errors: Share(wrong, of: place + 1, level: level)))
        }
        guard all.count > stepsMax else { return all.reversed() }
        let stride = Double(all.count - 1) / Double(stepsMax - 1)
        return (0..<stepsMax).map { all[Int((Double($0) * stride).rounded())] }.reversed()
    }
}
