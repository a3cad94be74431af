import Foundation

/// Quantiles and tails of the distributions that intervals are made of.
package enum Distributions {
    /// The number below which a standard normal one lies with `probability`, above 0 and below 1.
    package static func normalQuantile(_ probability: Double) -> Double {
        bisect(from: -40, to: 40) { normalBelow($0) < probability }
    }

    /// The number below which Student's t lies with `probability`; `degrees` of freedom above 0.
    package static func studentQuantile(_ probability: Double, degrees: Double) -> Double {
        guard probability >= 0.5 else {
            return -studentQuantile(1 - probability, degrees: degrees)
        }
        // P(|t| > x) = I_{v/(v+x²)}(v/2, 1/2); 1e9 bounds one degree of freedom up to 1 - 3e-10.
        return bisect(from: 0, to: 1e9) { x in
            let tail = incompleteBeta(degrees / (degrees + x * x), degrees / 2, 0.5)
            return 1 - tail / 2 < probability
        }
    }

    /// The probability that Student's t lies below `value`; `degrees` of freedom above 0.
    package static func studentBelow(_ value: Double, degrees: Double) -> Double {
        let tail = incompleteBeta(degrees / (degrees + value * value), degrees / 2, 0.5) / 2
        return value < 0 ? tail : 1 - tail
    }

    /// The probability that a standard normal number lies below `value`.
    package static func normalBelow(_ value: Double) -> Double {
        0.5 * erfc(-value / 2.0.squareRoot())
    }

    /// The probability of at most `successes` in `trials` of the given chance.
    package static func binomialAtMost(_ successes: Int, of trials: Int, chance: Double) -> Double {
        guard successes < trials else { return 1 }
        guard successes >= 0 else { return 0 }
        return incompleteBeta(1 - chance, Double(trials - successes), Double(successes + 1))
    }

    /// The probability of at most `hits` among `draws` without putting back, from `total` of which
    /// `marked` count as hits: Fisher's exact test, one-sided.
    package static func hypergeometricAtMost(
        _ hits: Int, draws: Int, marked: Int, total: Int
    ) -> Double {
        let lowest = max(0, draws - (total - marked))
        guard hits >= lowest else { return 0 }
        func logChoices(_ n: Int, _ k: Int) -> Double {
            lgamma(Double(n + 1)) - lgamma(Double(k + 1)) - lgamma(Double(n - k + 1))
        }
        let logAll = logChoices(total, draws)
        let sum = (lowest...min(hits, draws, marked)).reduce(0.0) { sum, count in
            let own = logChoices(marked, count)
            return sum + exp(own + logChoices(total - marked, draws - count) - logAll)
        }
        return min(1, sum)
    }

    /// Where a test that is true first becomes false, halving until nothing lies between.
    private static func bisect(
        from low: Double, to high: Double, isBelow: (Double) -> Bool
    ) -> Double {
        var (low, high) = (low, high)
        for _ in 0..<200 {
            let middle = low + (high - low) / 2
            if middle <= low || middle >= high { break }
            if isBelow(middle) { low = middle } else { high = middle }
        }
        return low + (high - low) / 2
    }

    /// The regularised incomplete beta function I_x(a, b), by its continued fraction
    /// (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.8).
    package static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        // The fraction converges fast on one side of the mean only.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let logFront =
            lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x) - log(a)
        return exp(logFront) / betaFraction(x, a, b)
    }

    /// 1 + d1/(1 + d2/(1 + ...)), evaluated from the front by Lentz' method.
    private static func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        var (value, upper, lower) = (1.0, 1.0, 0.0)
        for step in 1...10_000 {
            let m = Double(step / 2)
            let term =
                step % 2 == 0
                ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            lower = 1 + term * lower
            lower = 1 / (abs(lower) < tiny ? tiny : lower)
            upper = 1 + term / upper
            if abs(upper) < tiny { upper = tiny }
            value *= upper * lower
            if abs(upper * lower - 1) < 1e-15 { break }
        }
        return value
    }
}
