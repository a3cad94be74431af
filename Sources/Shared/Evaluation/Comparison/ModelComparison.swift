import Base
import Quality

/// One metric of two models on the same rows.
package struct PairedMetric: Sendable {
    /// What a metric is made of.
    package enum Rows: Sendable {
        /// Rows that are right or wrong; the metric is their share.
        case right(baseline: [Bool], candidate: [Bool])
        /// A number for each row; the metric is their mean.
        case means(baseline: [Double], candidate: [Double])
        /// Any statistic of rows by their number, with repeats; nil where undefined.
        case statistics(
            rows: Int, baseline: @Sendable (ArraySlice<Int>) -> Double?,
            candidate: @Sendable (ArraySlice<Int>) -> Double?)
    }

    package let name: String
    package let rows: Rows
    package let higherIsBetter: Bool

    package init(_ name: String, _ rows: Rows, higherIsBetter: Bool = true) {
        (self.name, self.rows, self.higherIsBetter) = (name, rows, higherIsBetter)
    }
}

/// How one metric differs.
package struct MetricDifference: Sendable, Hashable {
    /// How the probability was found.
    package enum Test: String, Sendable {
        case exactMcNemar = "mcnemar_exact"
        case mcNemar = "mcnemar"
        case bootstrap
    }

    package let baseline: Estimate
    package let candidate: Estimate
    /// Candidate minus baseline, with the interval of the paired bootstrap.
    package let change: Estimate
    /// Probability of such a difference by chance, corrected by Holm over all metrics.
    package let probability: Double
    package let test: Test

    /// Change divided by the baseline's value; 0 where that is 0.
    package var relativeChange: Double {
        baseline.value == 0 ? 0 : change.value / abs(baseline.value)
    }

    /// Whether chance is less likely than one minus the level.
    package func isSignificant(level: Double) -> Bool { probability < 1 - level }
}

/// A candidate against a baseline on the same rows.
package struct ModelComparison: Sendable {
    /// In the order of the metrics.
    package let differences: [MetricDifference]

    /// Metrics without rows, or undefined on them, are left out. Both models see the same draws.
    package init(_ metrics: [PairedMetric], bootstrap: Bootstrap) throws(EvaluationError) {
        var found: [MetricDifference] = []
        for metric in metrics {
            if let next = try Self.difference(metric, bootstrap) { found.append(next) }
        }
        let corrected = ChanceTests.holm(found.map(\.probability))
        differences = zip(found, corrected).map { difference, probability in
            MetricDifference(
                baseline: difference.baseline, candidate: difference.candidate,
                change: difference.change, probability: probability, test: difference.test)
        }
    }

    private static func difference(
        _ metric: PairedMetric, _ bootstrap: Bootstrap
    ) throws(EvaluationError) -> MetricDifference? {
        switch metric.rows {
        case .right(let first, let second):
            try check(first.count, second.count)
            let mcNemar = ChanceTests.McNemar(
                firstOnly: zip(first, second).count { $0 && !$1 },
                secondOnly: zip(first, second).count { !$0 && $1 })
            let numbers = (first.map { $0 ? 1.0 : 0 }, second.map { $0 ? 1.0 : 0 })
            return PairedDraws(
                rows: first.count, bootstrap: bootstrap, baseline: { mean(numbers.0, $0) },
                candidate: { mean(numbers.1, $0) }
            ).difference(
                metric, shares: (share(first, bootstrap), share(second, bootstrap)),
                exact: (mcNemar.probability, mcNemar.isExact ? .exactMcNemar : .mcNemar))
        case .means(let first, let second):
            try check(first.count, second.count)
            return PairedDraws(
                rows: first.count, bootstrap: bootstrap, baseline: { mean(first, $0) },
                candidate: { mean(second, $0) }
            ).difference(metric)
        case .statistics(let rows, let first, let second):
            return PairedDraws(
                rows: rows, bootstrap: bootstrap, baseline: first, candidate: second
            ).difference(metric)
        }
    }

    private static func check(_ first: Int, _ second: Int) throws(EvaluationError) {
        guard first == second else {
            throw .lengthsDiffer(what: "rows of the candidate", seen: second, expected: first)
        }
    }

    private static func share(_ right: [Bool], _ bootstrap: Bootstrap) -> Interval? {
        Share(right.count { $0 }, of: right.count, level: bootstrap.level).interval
    }

    private static func mean(_ values: [Double], _ rows: ArraySlice<Int>) -> Double? {
        rows.isEmpty ? nil : rows.reduce(0) { $0 + values[$1] } / Double(rows.count)
    }
}

/// Draws of the same rows for two models.
package struct PairedDraws {
    package let rows: Int
    package let bootstrap: Bootstrap
    package let baseline: (ArraySlice<Int>) -> Double?
    package let candidate: (ArraySlice<Int>) -> Double?

    /// Statistics of rows by their number, with repeats.
    package init(
        rows: Int, bootstrap: Bootstrap, baseline: @escaping (ArraySlice<Int>) -> Double?,
        candidate: @escaping (ArraySlice<Int>) -> Double?
    ) {
        (self.rows, self.bootstrap) = (rows, bootstrap)
        (self.baseline, self.candidate) = (baseline, candidate)
    }

    func difference(
        _ metric: PairedMetric, shares: (Interval?, Interval?)? = nil,
        exact: (probability: Double, test: MetricDifference.Test)? = nil
    ) -> MetricDifference? {
        let all = Array(0..<max(0, rows))[...]
        guard rows > 0, let first = baseline(all), let second = candidate(all), first.isFinite,
            second.isFinite
        else { return nil }
        var drawn: [[Double]] = [[], [], []]
        for draw in 0..<bootstrap.draws {
            let chosen = Bootstrap.rows(rows, of: bootstrap.key.child(draw))[...]
            guard let a = baseline(chosen), let b = candidate(chosen), a.isFinite, b.isFinite
            else { continue }
            drawn[0].append(a)
            drawn[1].append(b)
            drawn[2].append(b - a)
        }
        let isUsable = rows > 1 && drawn[2].count * 2 > bootstrap.draws
        let intervals = drawn.map { isUsable ? bootstrap.percentile($0) : nil }
        func estimate(_ value: Double, _ interval: Interval?) -> Estimate {
            Estimate(
                metric.name, value, interval: interval, count: rows,
                higherIsBetter: metric.higherIsBetter)
        }
        return MetricDifference(
            baseline: estimate(first, shares?.0 ?? intervals[0]),
            candidate: estimate(second, shares?.1 ?? intervals[1]),
            change: estimate(second - first, intervals[2]),
            probability: exact?.probability
                ?? Self.probability(of: second - first, draws: isUsable ? drawn[2] : []),
            test: exact?.test ?? .bootstrap)
    }

    /// How often draws, moved so that their mean is 0, lie as far out as the difference seen
    /// (Koehn 2004, as sacrebleu has it); 1 without draws.
    static func probability(of difference: Double, draws: [Double]) -> Double {
        let mean = draws.reduce(0, +) / Double(max(1, draws.count))
        let beyond = draws.count { abs($0 - mean) >= abs(difference) }
        return Double(beyond + 1) / Double(draws.count + 1)
    }
}

/// Rows that one of two models has right.
package struct GainedAndLost: Sendable, Hashable {
    /// Numbers of rows only the candidate has right.
    package let gained: [Int]
    /// Numbers of rows only the baseline has right, those first of which the candidate was surest.
    package let lost: [Int]
    package let bothRight: Int
    package let bothWrong: Int

    /// - Parameter confidence: the candidate's, for each row; empty if unknown
    package init(
        baseline: [Bool], candidate: [Bool], confidence: [Double] = []
    ) throws(EvaluationError) {
        guard baseline.count == candidate.count else {
            throw .lengthsDiffer(
                what: "rows of the candidate", seen: candidate.count, expected: baseline.count)
        }
        guard confidence.isEmpty || confidence.count == baseline.count else {
            throw .lengthsDiffer(
                what: "confidences", seen: confidence.count, expected: baseline.count)
        }
        gained = baseline.indices.filter { !baseline[$0] && candidate[$0] }
        let lost = baseline.indices.filter { baseline[$0] && !candidate[$0] }
        self.lost =
            confidence.isEmpty
            ? lost : lost.sorted { (confidence[$1], $0) < (confidence[$0], $1) }
        bothRight = zip(baseline, candidate).count { $0 && $1 }
        bothWrong = zip(baseline, candidate).count { !$0 && !$1 }
    }
}

/// Rows whose outcome the confidence did not announce.
package enum SurprisingRows {
    /// Numbers of rows, those first whose score and confidence lie furthest apart: wrong at high,
    /// or right at low confidence. Rows without a score or confidence are left out.
    package static func order(scores: [Double], confidences: [Double]) -> [Int] {
        let distances = zip(scores, confidences).map { abs($0 - $1) }
        return distances.indices.filter { distances[$0].isFinite }
            .sorted { (distances[$1], $0) < (distances[$0], $1) }
    }
}
