package import Quality

/// One measured number, as services report it.
package struct Estimate: Sendable, Hashable {
    /// Dotted lower-case name, such as "accuracy" or "f1.scratch".
    package let name: String
    /// Shares are 0 to 1, never percent.
    package let value: Double
    /// Nil where no sampling is involved, or too few rows were seen.
    package let interval: Interval?
    /// What the value rests on.
    package let count: Int
    /// Nil where neither direction is better.
    package let higherIsBetter: Bool?

    package init(
        _ name: String, _ value: Double, interval: Interval? = nil, count: Int,
        higherIsBetter: Bool? = true
    ) {
        (self.name, self.value, self.interval) = (name, value, interval)
        (self.count, self.higherIsBetter) = (count, higherIsBetter)
    }

    /// A share with Wilson's interval; nil without trials.
    package init?(_ name: String, _ share: Share, higherIsBetter: Bool? = true) {
        guard let value = share.value else { return nil }
        self.init(
            name, value, interval: share.interval, count: share.trials,
            higherIsBetter: higherIsBetter)
    }

    /// The lower end of the interval, or the value where there is none.
    package var lower: Double { interval?.lower ?? value }
    /// The upper end of the interval, or the value where there is none.
    package var upper: Double { interval?.upper ?? value }
}
