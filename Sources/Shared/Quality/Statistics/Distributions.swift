import Foundation

/// Quantiles and tails of the distributions that intervals are made of.
enum Distributions {
    /// The number below which a standard normal one lies with `probability`, above 0 and below 1.
    static func normalQuantile(_ probability: Double) -> Double {
        bisect(from: -40, to: 40) { 0.5 * erfc(-$0 / 2.0.squareRoot()) < probability }
    }

    /// The number below which Student's t lies with `probability`; `degrees` of freedom above 0.
    static func studentQuantile(_ probability: Double, degrees: Double) -> Double {
        guard probability >= 0.5 else {
            return -studentQuantile(1 - probability, degrees: degrees)
        }
        // P(|t| > x) = I_{v/(v+x²)}(v/2, 1/2); 1e9 bounds one degree of freedom up to 1 - 3e-10.
        return bisect(from: 0, to: 1e9) { x in
            let tail = incompleteBeta(degrees / (degrees + x * x), degrees / 2, 0.5)
            return 1 - tail / 2 < probability
        }
    }

    /// The probability of at most `successes` in `trials` of the given chance.
    static func binomialAtMost(_ successes: Int, of trials: Int, chance: Double) -> Double {
        guard successes < trials else { return 1 }
        guard successes >= 0 else { return 0 }
        return incompleteBeta(1 - chance, Double(trials - successes), Double(successes + 1))
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
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
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
