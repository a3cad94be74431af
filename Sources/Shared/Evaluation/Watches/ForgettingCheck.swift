import Quality

/// Whether a model loses what it could do before training: the scores of a fixed probe set, now
/// against step 0, row by row.
package struct ForgettingCheck: Sendable, Hashable {
    /// What follows.
    package enum Outcome: Sendable, Hashable {
        case kept
        /// The score fell by the drop that is reported, or more.
        case warn
        /// The whole interval of the drop lies beyond the one that stops a job.
        case stop
    }

    /// Score at step 0 minus score now, with its interval.
    package let drop: Estimate
    package let outcome: Outcome

    /// Nil without rows.
    ///
    /// - Parameters:
    ///   - before: score of each probe row at step 0
    ///   - now: score of the same rows now
    ///   - warnDrop: loss of score that is reported
    ///   - stopDrop: loss of score that stops the job; nil: never
    package init?(
        before: [Double], now: [Double], warnDrop: Double = 0.05, stopDrop: Double? = nil,
        bootstrap: Bootstrap
    ) throws(EvaluationError) {
        let comparison = try ModelComparison(
            [PairedMetric("probe.drop", .means(baseline: now, candidate: before))],
            bootstrap: bootstrap)
        guard let change = comparison.differences.first?.change else { return nil }
        drop = Estimate(
            "probe.drop", change.value, interval: change.interval, count: change.count,
            higherIsBetter: false)
        // One row has no interval, and no job is stopped for it.
        if let stopDrop, let interval = change.interval, interval.lower > stopDrop {
            outcome = .stop
        } else {
            outcome = change.value >= warnDrop ? .warn : .kept
        }
    }
}
