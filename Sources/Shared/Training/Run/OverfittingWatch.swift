/// Signs that a model learns its rows by heart: the training loss still falls while that of the
/// validation split does not. Both slopes are those of straight lines through the last evaluations
/// and the steps between them (least squares), in nats an epoch.
package struct OverfittingWatch: Sendable, Hashable {
    /// Of the training loss, below 0.
    package let trainSlope: Double
    /// Of the validation loss.
    package let validationSlope: Double
    /// The evaluations that were looked at, by step, and what they gave.
    package let evaluations: [Point]

    /// A validation loss.
    package struct Point: Sendable, Hashable {
        package let step: Int
        package let loss: Double
    }

    /// Evaluations that are looked at.
    package static let evaluationsMin = 3
    /// A loss that changes by less than this share of itself in an epoch is flat.
    private static let flatShare = 0.02

    /// - Parameter history: of a run
    /// - Returns: nil where nothing points to it, or too little is known
    package init?(_ history: [LogEntry]) {
        let evaluated = history.filter { $0["eval_loss"] != nil }.suffix(Self.evaluationsMin)
        guard evaluated.count == Self.evaluationsMin, let first = evaluated.first else {
            return nil
        }
        let validation = evaluated.map { (x: $0.epoch, y: $0["eval_loss"] ?? 0) }
        let train = history.filter { $0.step > first.step }.compactMap { entry in
            entry["loss"].map { (x: entry.epoch, y: $0) }
        }
        guard let validationLine = Line(validation), let trainLine = Line(train) else { return nil }
        let isTrainFalling = trainLine.slope < -Self.flatShare * trainLine.mean
        let isValidationFalling =
            validationLine.slope < -Self.flatShare * validationLine.mean
        guard isTrainFalling, !isValidationFalling else { return nil }
        (trainSlope, validationSlope) = (trainLine.slope, validationLine.slope)
        evaluations = evaluated.map { Point(step: $0.step, loss: $0["eval_loss"] ?? 0) }
    }

    /// In words, with the numbers.
    package var message: String {
        let losses = evaluations.map { "\($0.loss) at step \($0.step)" }.joined(separator: ", ")
        return "the training loss changes by \(trainSlope) an epoch, the validation loss by "
            + "\(validationSlope) (\(losses)); use the best checkpoint, fewer epochs or more rows"
    }
}

/// The straight line that fits points best.
private struct Line {
    let slope: Double
    /// Of the values.
    let mean: Double

    init?(_ points: [(x: Double, y: Double)]) {
        guard points.count > 1 else { return nil }
        let count = Double(points.count)
        let x = points.reduce(0) { $0 + $1.x } / count
        let y = points.reduce(0) { $0 + $1.y } / count
        let spread = points.reduce(0) { $0 + ($1.x - x) * ($1.x - x) }
        guard spread > 0 else { return nil }
        slope = points.reduce(0) { $0 + ($1.x - x) * ($1.y - y) } / spread
        mean = y
    }
}
