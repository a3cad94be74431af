import Foundation
import Quality

/// Probabilities of what was seen if nothing but chance were at work.
package enum ChanceTests {
    /// Holm's correction for several tests (Holm 1979): in the order given, at most 1.
    package static func holm(_ probabilities: [Double]) -> [Double] {
        let order = probabilities.indices.sorted { probabilities[$0] < probabilities[$1] }
        var corrected = probabilities
        var largest = 0.0
        for (rank, index) in order.enumerated() {
            largest = max(largest, probabilities[index] * Double(probabilities.count - rank))
            corrected[index] = min(1, largest)
        }
        return corrected
    }

    /// Whether `group` has a lower mean than `rest`: Fisher's exact test where all values are 0 or
    /// 1, Welch's t-test otherwise; one-sided. 1 where either has too few rows to say.
    package static func isLower(_ group: [Double], than rest: [Double]) -> Double {
        guard !group.isEmpty, !rest.isEmpty else { return 1 }
        if group.allSatisfy({ $0 == 0 || $0 == 1 }), rest.allSatisfy({ $0 == 0 || $0 == 1 }) {
            let hits = group.count { $0 == 1 }
            return Distributions.hypergeometricAtMost(
                hits, draws: group.count, marked: hits + rest.count { $0 == 1 },
                total: group.count + rest.count)
        }
        return welchLower(group, rest)
    }

    /// Welch's unequal variances t-test, one-sided.
    static func welchLower(_ group: [Double], _ rest: [Double]) -> Double {
        guard group.count > 1, rest.count > 1 else { return 1 }
        let (a, b) = (Moments(group), Moments(rest))
        let (first, second) = (a.variance / a.count, b.variance / b.count)
        let error = first + second
        guard error > 0 else { return a.mean < b.mean ? 0 : 1 }
        let degrees =
            error * error / (first * first / (a.count - 1) + second * second / (b.count - 1))
        return Distributions.studentBelow((a.mean - b.mean) / error.squareRoot(), degrees: degrees)
    }

    /// McNemar's test of two models on the same rows.
    package struct McNemar: Sendable, Hashable {
        /// Rows that only the one or the other has right, both above this: see `isExact`.
        package static let exactBelow = 25

        /// Rows only the first has right.
        package let firstOnly: Int
        /// Rows only the second has right.
        package let secondOnly: Int

        package init(firstOnly: Int, secondOnly: Int) {
            (self.firstOnly, self.secondOnly) = (firstOnly, secondOnly)
        }

        /// Whether the binomial distribution is used instead of its approximation.
        package var isExact: Bool { firstOnly + secondOnly < Self.exactBelow }

        /// The exact probability, or with many rows the approximate one.
        package var probability: Double { isExact ? exact : corrected }

        /// From the binomial distribution, two-sided.
        package var exact: Double {
            let fewer = min(firstOnly, secondOnly)
            return min(
                1,
                2
                    * Distributions.binomialAtMost(
                        fewer, of: firstOnly + secondOnly, chance: 0.5))
        }

        /// From chi-squared with Edwards' continuity correction.
        package var corrected: Double {
            let total = Double(firstOnly + secondOnly)
            guard total > 0 else { return 1 }
            let distance = Double(abs(firstOnly - secondOnly)) - 1
            // The upper tail of chi-squared with one degree of freedom.
            return erfc((distance * distance / total / 2).squareRoot())
        }
    }
}

/// Count, mean and variance of a sample.
struct Moments {
    let count, mean, variance: Double

    init(_ values: [Double]) {
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        (count, self.mean) = (Double(values.count), mean)
        variance =
            values.count > 1
            ? values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1) : 0
    }
}
