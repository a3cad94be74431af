package import Quality

/// A score under a degradation of images, against the same rows without.
package struct Robustness: Sendable, Hashable {
    package let transform: String
    /// 0 (none) to 1 (the policy's limit).
    package let strength: Double
    package let score: Estimate
    /// Degraded minus plain, by the paired bootstrap.
    package let change: Estimate

    /// Nil without rows.
    ///
    /// - Parameters:
    ///   - plain: scores of rows
    ///   - degraded: scores of the same rows under the transform
    package init?(
        transform: String, strength: Double, plain: [Double], degraded: [Double],
        bootstrap: Bootstrap
    ) throws(EvaluationError) {
        let comparison = try ModelComparison(
            [PairedMetric("score", .means(baseline: plain, candidate: degraded))],
            bootstrap: bootstrap)
        guard let difference = comparison.differences.first else { return nil }
        (self.transform, self.strength) = (transform, strength)
        (score, change) = (difference.candidate, difference.change)
    }
}

/// How much answers depend on how the question is put.
package enum PromptSteadiness {
    /// Largest minus smallest mean score over prompts with the same shots on the same rows. The
    /// interval draws rows, and takes the largest and smallest of each draw. Nil below two prompts.
    ///
    /// - Parameter scores: for each prompt the score of every row
    package static func spread(
        _ scores: [[Double]], bootstrap: Bootstrap
    ) throws(EvaluationError) -> Estimate? {
        guard scores.count > 1, let rows = scores.first?.count, rows > 0 else { return nil }
        for prompt in scores where prompt.count != rows {
            throw .lengthsDiffer(what: "scores of a prompt", seen: prompt.count, expected: rows)
        }
        func spread(_ chosen: ArraySlice<Int>) -> Double {
            let means = scores.map { prompt in
                chosen.reduce(0) { $0 + prompt[$1] } / Double(chosen.count)
            }
            return (means.max() ?? 0) - (means.min() ?? 0)
        }
        return Estimate(
            "prompt_spread", spread(Array(0..<rows)[...]),
            interval: bootstrap.child("prompts").interval(rows: rows) { spread($0) }, count: rows,
            higherIsBetter: false)
    }

    /// Rows answered differently when asked again, of those asked more than once. Answers are
    /// compared field by field as JSON, or as text.
    ///
    /// - Parameter answers: of every row, one for each time it was asked
    package static func inconsistency(
        _ answers: [[String]], rules: [FieldRule] = [], level: Double = 0.95
    ) -> Share {
        let repeated = answers.filter { $0.count > 1 }
        let differing = repeated.count { row in
            Set(row.map { FlatAnswer(String($0.prefix(65_536)), rules: rules).key }).count > 1
        }
        return Share(differing, of: repeated.count, level: level)
    }
}
