import Evaluation
import Messages
import Quality

extension Measure {
    init(_ estimate: Estimate) {
        self.init()
        (name, value) = (estimate.name, estimate.value)
        sampleCount = UInt64(max(estimate.count, 0))
        higherIsBetter = estimate.higherIsBetter
        interval = estimate.interval.map(ConfidenceInterval.init)
    }

    /// Unset where nothing was tried.
    init(_ name: String, _ share: Share) {
        self.init()
        (self.name, value, sampleCount) = (name, share.value ?? 0, UInt64(share.trials))
        interval = share.interval.map(ConfidenceInterval.init)
    }
}

extension ConfidenceInterval {
    init(_ interval: Interval) {
        self.init()
        (lower, upper, level) = (interval.lower, interval.upper, interval.level)
        method = interval.method.rawValue
    }
}

extension Estimate {
    /// A measure as it was stored.
    init(_ measure: Measure) {
        let interval = measure.interval.map { stored in
            Interval(
                lower: stored.lower, upper: stored.upper, level: stored.level,
                method: Interval.Method(rawValue: stored.method) ?? .bootstrap)
        }
        self.init(
            measure.name, measure.value, interval: interval, count: Int(measure.sampleCount),
            higherIsBetter: measure.higherIsBetter)
    }
}
