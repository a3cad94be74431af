package import Quality

/// Whether a model learns its training rows by heart: their loss falls while that of the validation
/// rows stays or rises.
package struct OverfittingWatch: Sendable {
    /// The loss of a step.
    package struct Point: Sendable, Hashable {
        package let step: Int
        package let loss: Double

        package init(step: Int, loss: Double) { (self.step, self.loss) = (step, loss) }
    }

    /// Slopes over the last evaluations, each for 1,000 steps.
    package struct Evidence: Sendable, Hashable {
        /// First and last step.
        package let steps: ClosedRange<Int>
        package let trainSlope: Double
        package let trainInterval: Interval
        package let validationSlope: Double
        package let validationInterval: Interval
        /// The validation loss now, and the best before the window's last evaluation.
        package let validationLoss: Double
        package let bestValidationLoss: Double
        package let bestStep: Int
        /// Whether the validation loss surely rises, not only stays.
        package let isRising: Bool
    }

    /// Evaluations looked at.
    package let window: Int
    /// The validation loss counts as flat if it falls by less than this share of the train loss.
    package let flatShare: Double

    /// Fewer points of the train loss say nothing about its slope.
    package static let trainPointsMin = 8
    private static let level = 0.95

    /// - Parameter window: evaluations looked at, at least 3
    package init(window: Int = 3, flatShare: Double = 0.1) {
        (self.window, self.flatShare) = (max(3, window), flatShare)
    }

    /// What speaks for overfitting at the last evaluation; nil if nothing does. Both lists rise by
    /// step; losses that are not numbers are passed over.
    package func check(train: [Point], validation: [Point]) -> Evidence? {
        let evaluations = validation.filter(\.loss.isFinite)
        let recent = evaluations.suffix(window)
        guard recent.count == window, let first = recent.first, let last = recent.last,
            let best = evaluations.dropLast().min(by: { $0.loss < $1.loss })
        else { return nil }
        let learned = train.filter { $0.step >= first.step && $0.step <= last.step }
            .filter(\.loss.isFinite)
        guard learned.count >= Self.trainPointsMin, let own = Self.line(learned),
            let other = Self.line(Array(recent))
        else { return nil }
        let (trainInterval, validationInterval) = (
            own.slopeInterval(level: Self.level), other.slopeInterval(level: Self.level)
        )
        let isLearning = own.slope < 0 && trainInterval.upper < 0
        let isFlat = other.slope > flatShare * own.slope && last.loss >= best.loss
        guard isLearning, isFlat else { return nil }
        return Evidence(
            steps: first.step...last.step, trainSlope: own.slope, trainInterval: trainInterval,
            validationSlope: other.slope, validationInterval: validationInterval,
            validationLoss: last.loss, bestValidationLoss: best.loss, bestStep: best.step,
            isRising: validationInterval.lower > 0)
    }

    private static func line(_ points: [Point]) -> LinearTrend? {
        LinearTrend(x: points.map { Double($0.step) / 1_000 }, y: points.map(\.loss))
    }
}

extension OverfittingWatch.Evidence {
    /// The numbers, by the names under which they are reported.
    package var estimates: [Estimate] {
        [
            Estimate(
                "train.slope", trainSlope, interval: trainInterval, count: 0,
                higherIsBetter: nil),
            Estimate(
                "validation.slope", validationSlope, interval: validationInterval, count: 0,
                higherIsBetter: nil),
            Estimate("validation.loss", validationLoss, count: 1, higherIsBetter: false),
            Estimate("validation.loss.best", bestValidationLoss, count: 1, higherIsBetter: false),
        ]
    }
}
