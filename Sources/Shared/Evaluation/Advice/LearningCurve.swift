import Foundation

/// How the score grows with train rows: errors fall as a power of their number (Hestness et al.
/// 2017), error = scale · rows^-exponent.
package struct LearningCurve: Sendable, Hashable {
    /// A score at a number of train rows.
    package struct Point: Sendable, Hashable {
        package let rows: Int
        /// 0 to 1.
        package let score: Double

        package init(rows: Int, score: Double) { (self.rows, self.score) = (rows, score) }
    }

    package let scale: Double
    /// Above 0: more rows, fewer errors.
    package let exponent: Double
    /// The most rows that were tried.
    package let rowsTried: Int

    /// Further than this many times the rows tried a curve is not continued.
    package static let reachMax = 10

    /// Fits a straight line to logarithms. Nil below 3 different numbers of rows with errors, or
    /// where errors do not fall.
    package init?(_ points: [Point]) {
        let usable = points.filter { $0.rows > 0 && $0.score >= 0 && $0.score < 1 }
        guard Set(usable.map(\.rows)).count >= 3,
            let line = LinearTrend(
                x: usable.map { log(Double($0.rows)) }, y: usable.map { log(1 - $0.score) }),
            line.slope < 0
        else { return nil }
        (scale, exponent) = (exp(line.intercept), -line.slope)
        rowsTried = usable.map(\.rows).max() ?? 0
    }

    /// The score to expect; nil without rows or beyond the reach of what was tried.
    package func score(rows: Int) -> Double? {
        guard rows > 0, rows / Self.reachMax <= rowsTried else { return nil }
        return max(0, 1 - scale * pow(Double(rows), -exponent))
    }

    /// The rows that a score takes; nil beyond the reach of what was tried.
    package func rows(score: Double) -> Int? {
        guard score < 1 else { return nil }
        let rows = pow((1 - score) / scale, -1 / exponent).rounded(.up)
        guard rows <= Double(rowsTried) * Double(Self.reachMax) else { return nil }
        return max(1, Int(rows))
    }
}
