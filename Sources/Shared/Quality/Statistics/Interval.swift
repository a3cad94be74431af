import Foundation

/// The range in which a true value lies with a stated probability.
package struct Interval: Sendable, Hashable {
    /// How an interval was found.
    package enum Method: String, Sendable {
        /// Wilson's score interval of a share.
        case wilson
        /// A linearised variance with a quantile of Student's t or the normal distribution.
        case analytic
        /// Quantiles over draws of rows with replacement.
        case bootstrap
    }

    package let lower: Double
    package let upper: Double
    /// The probability, such as 0.95.
    package let level: Double
    package let method: Method

    /// An interval as it was computed elsewhere.
    package init(lower: Double, upper: Double, level: Double, method: Method) {
        (self.lower, self.upper, self.level, self.method) = (lower, upper, level, method)
    }

    /// Wilson's score interval, which stays within 0 and 1 and is of use for few trials too.
    ///
    /// - Parameters:
    ///   - share: successes per trial, 0 to 1
    ///   - count: trials, above 0
    package static func wilson(share: Double, count: Double, level: Double) -> Interval {
        let z = Distributions.normalQuantile((1 + level) / 2)
        let scale = 1 + z * z / count
        let middle = (share + z * z / (2 * count)) / scale
        let spread = share * (1 - share) / count + z * z / (4 * count * count)
        let half = z * spread.squareRoot() / scale
        return Interval(
            lower: share == 0 ? 0 : max(0, middle - half),
            upper: share == 1 ? 1 : min(1, middle + half), level: level, method: .wilson)
    }

    /// Value ± t · error with `rows - 1` degrees of freedom, cut at 1, which no coefficient of
    /// agreement exceeds.
    static func student(_ value: Double, error: Double, rows: Int, level: Double) -> Interval {
        let t = Distributions.studentQuantile((1 + level) / 2, degrees: Double(rows - 1))
        return Interval(
            lower: value - t * error, upper: min(1, value + t * error), level: level,
            method: .analytic)
    }

    /// Value ± z · error, cut at 1.
    static func normal(_ value: Double, error: Double, level: Double) -> Interval {
        let z = Distributions.normalQuantile((1 + level) / 2)
        return Interval(
            lower: value - z * error, upper: min(1, value + z * error), level: level,
            method: .analytic)
    }
}

/// A share of trials with its interval.
package struct Share: Sendable, Hashable {
    package let successes: Int
    package let trials: Int
    /// Nil without trials.
    package let value: Double?
    /// Wilson's; nil without trials.
    package let interval: Interval?

    /// Counts with the interval of a level above 0 and below 1.
    package init(_ successes: Int, of trials: Int, level: Double = 0.95) {
        (self.successes, self.trials) = (successes, trials)
        guard trials > 0 else {
            (value, interval) = (nil, nil)
            return
        }
        let share = Double(successes) / Double(trials)
        value = share
        interval = .wilson(share: share, count: Double(trials), level: level)
    }
}
