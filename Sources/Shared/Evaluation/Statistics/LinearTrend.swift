package import Quality

/// A straight line through points by least squares.
package struct LinearTrend: Sendable, Hashable {
    package let slope: Double
    /// Standard error of the slope.
    package let slopeError: Double
    package let intercept: Double
    /// Points it rests on.
    package let count: Int

    /// Nil below 3 points, where all x are equal, or where a number is not finite.
    package init?(x: [Double], y: [Double]) {
        guard x.count == y.count, x.count >= 3, (x + y).allSatisfy(\.isFinite) else { return nil }
        let (first, second) = (Moments(x), Moments(y))
        guard first.variance > 0 else { return nil }
        let degrees = first.count - 1
        let covariance =
            zip(x, y).reduce(0) { $0 + ($1.0 - first.mean) * ($1.1 - second.mean) } / degrees
        slope = covariance / first.variance
        intercept = second.mean - slope * first.mean
        count = x.count
        let unexplained = max(0, second.variance - covariance * slope)
        slopeError = (unexplained / first.variance / (first.count - 2)).squareRoot()
        guard slope.isFinite, slopeError.isFinite else { return nil }
    }

    /// The range of the slope by Student's t.
    package func slopeInterval(level: Double) -> Interval {
        let t = Distributions.studentQuantile((1 + level) / 2, degrees: Double(count - 2))
        return Interval(
            lower: slope - t * slopeError, upper: slope + t * slopeError, level: level,
            method: .analytic)
    }
}
