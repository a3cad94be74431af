package import Base
import Foundation
package import Quality

/// Intervals by drawing rows with replacement (Efron and Tibshirani, An Introduction to the
/// Bootstrap, 1993). The same key draws the same rows, in any order and on any machine.
package struct Bootstrap: Sendable {
    /// How an interval is read off the draws.
    package enum Reading: Sendable {
        /// Quantiles of the draws.
        case percentile
        /// Quantiles corrected for bias and skew (BCa). Needs the statistic once more for each
        /// row left out; above `rowsForAcceleration` rows quantiles are taken instead.
        case accelerated
    }

    package let key: RandomKey
    package let draws: Int
    package let level: Double
    package let reading: Reading

    /// How many draws may be asked for.
    package static let drawsAllowed = 100...100_000
    /// With more rows the correction is too small to be worth its cost.
    package static let rowsForAcceleration = 2_000
    /// Most numbers kept at once: draws times statistics.
    static let numbersMax = 10_000_000

    /// Checks draws, 100 to 100,000, and level, above 0.5 and below 1.
    package init(
        key: RandomKey, draws: Int = 2_000, level: Double = 0.95, reading: Reading = .percentile
    ) throws(EvaluationError) {
        guard Self.drawsAllowed.contains(draws) else { throw .drawsOutOfRange(seen: draws) }
        guard level > 0.5, level < 1 else { throw .levelOutOfRange(seen: level) }
        (self.key, self.draws) = (key, draws)
        (self.level, self.reading) = (level, reading)
    }

    /// The same with other random numbers, for another purpose.
    package func child(_ purpose: String) -> Bootstrap {
        Bootstrap(copy: self, key: key.child(purpose))
    }

    private init(copy: Bootstrap, key: RandomKey) {
        self.key = key
        (draws, level, reading) = (copy.draws, copy.level, copy.reading)
    }

    /// The interval of a statistic of rows; nil below 2 rows, or where it is undefined for more
    /// than half of the draws.
    ///
    /// - Parameter statistic: of rows by their number, with repeats; nil where undefined
    package func interval(
        rows: Int, of statistic: (ArraySlice<Int>) -> Double?
    ) -> Interval? {
        let found = intervals(rows: rows, count: 1) { [statistic($0)] }
        return found.first ?? nil
    }

    /// The interval of a mean.
    package func interval(ofMean values: [Double]) -> Interval? {
        interval(rows: values.count) { rows in
            rows.reduce(0) { $0 + values[$1] } / Double(rows.count)
        }
    }

    /// Intervals of several statistics that are computed together, `count` of them.
    package func intervals(
        rows: Int, count: Int, of statistics: (ArraySlice<Int>) -> [Double?]
    ) -> [Interval?] {
        guard rows > 1, count > 0, count * draws <= Self.numbersMax else {
            return Array(repeating: nil, count: count)
        }
        var distributions: [[Double]] = Array(repeating: [], count: count)
        for draw in 0..<draws {
            for (index, value) in statistics(Self.rows(rows, of: key.child(draw))[...]).enumerated()
            {
                if let value, value.isFinite { distributions[index].append(value) }
            }
        }
        guard reading == .accelerated, rows <= Self.rowsForAcceleration else {
            return distributions.map { usable($0) ? percentile($0) : nil }
        }
        let all = Array(0..<rows)
        let estimates = statistics(all[...])
        let left = all.map { out in statistics(all.filter { $0 != out }[...]) }
        return distributions.enumerated().map { index, distribution in
            guard usable(distribution), let estimate = estimates[index] else { return nil }
            let others = left.compactMap { $0[index] }
            return accelerated(distribution, estimate: estimate, leftOut: others)
        }
    }

    private func usable(_ distribution: [Double]) -> Bool { distribution.count * 2 > draws }

    /// Rows drawn with replacement.
    package static func rows(_ count: Int, of key: RandomKey) -> [Int] {
        var drawn: [Int] = []
        drawn.reserveCapacity(count + 3)
        var block: UInt64 = 0
        while drawn.count < count {
            let words = Philox.block(block, key: key.key, stream: key.stream)
            // The share of a word that the multiplication favours is below count / 2^32.
            for lane in 0..<4 { drawn.append(Int((UInt64(words[lane]) &* UInt64(count)) >> 32)) }
            block += 1
        }
        drawn.removeLast(drawn.count - count)
        return drawn
    }

    /// Quantiles of a distribution that was drawn before.
    func percentile(_ distribution: [Double]) -> Interval {
        let sorted = distribution.sorted()
        let tail = (1 - level) / 2
        return interval(sorted, tail, 1 - tail)
    }

    /// BCa of a distribution that was drawn before (Efron 1987, equations 2.3 and 6.6).
    ///
    /// - Parameter leftOut: the statistic without each row in turn
    func accelerated(
        _ distribution: [Double], estimate: Double, leftOut: [Double]
    ) -> Interval {
        let sorted = distribution.sorted()
        let below = sorted.count { $0 < estimate }
        let notAbove = sorted.count { $0 <= estimate }
        let rank = Double(below + notAbove) / Double(2 * sorted.count)
        guard rank > 0, rank < 1, sorted.first != sorted.last else {
            return percentile(distribution)
        }
        let bias = Distributions.normalQuantile(rank)
        let mean = leftOut.reduce(0, +) / Double(max(1, leftOut.count))
        let squares = leftOut.reduce(0) { $0 + pow(mean - $1, 2) }
        let cubes = leftOut.reduce(0) { $0 + pow(mean - $1, 3) }
        let acceleration = squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0
        func corrected(_ probability: Double) -> Double {
            let z = bias + Distributions.normalQuantile(probability)
            return Distributions.normalBelow(bias + z / (1 - acceleration * z))
        }
        let tail = (1 - level) / 2
        return interval(sorted, corrected(tail), corrected(1 - tail))
    }

    private func interval(_ sorted: [Double], _ low: Double, _ high: Double) -> Interval {
        Interval(
            lower: Quantiles.linear(sorted, low), upper: Quantiles.linear(sorted, high),
            level: level, method: .bootstrap)
    }
}

/// Quantiles of samples.
package enum Quantiles {
    /// Between neighbours in proportion (type 7 of Hyndman and Fan), as NumPy does.
    ///
    /// - Parameter sorted: rising, not empty
    package static func linear(_ sorted: [Double], _ probability: Double) -> Double {
        guard let last = sorted.last else { return .nan }
        let place = min(max(0, probability), 1) * Double(sorted.count - 1)
        let lower = Int(place)
        guard lower + 1 < sorted.count else { return last }
        let share = place - Double(lower)
        return sorted[lower] + (sorted[lower + 1] - sorted[lower]) * share
    }

    /// The middle; nil of nothing.
    package static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : linear(values.sorted(), 0.5)
    }
}
