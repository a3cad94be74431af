/// Everything that a run carries from step to step besides tensors: with the recipe and the rows it
/// decides all that follows.
package struct RunState: Sendable, Hashable, Codable {
    /// Steps done.
    package internal(set) var step = 0
    /// The step at which the last evaluation and the last checkpoint were made.
    package internal(set) var evaluatedStep = 0
    package internal(set) var checkpointedStep = 0
    /// Trained tokens, and all tokens, so far.
    package internal(set) var trainedTokens = 0
    package internal(set) var totalTokens = 0
    /// Seconds at work, and of those waiting for rows.
    package internal(set) var runningSeconds = 0.0
    package internal(set) var inputWaitSeconds = 0.0
    /// How many times a row was left out because it is bad.
    package internal(set) var skippedRows = 0
    /// The best evaluation.
    package internal(set) var best: BestMeasure?
    /// Whether it is not in a checkpoint yet.
    var isBestUnsaved = false
    /// Evaluations since the best one.
    package internal(set) var evaluationsWithoutImprovement = 0
    /// Whether the last of them was one too many.
    package internal(set) var hasStoppedEarly = false
    var watch = DivergenceWatch()

    /// The share of the time at work in which nothing was computed for want of rows.
    package var inputWaitShare: Double {
        runningSeconds > 0 ? inputWaitSeconds / runningSeconds : 0
    }
}

/// Watches for gradients that explode. What is usual is the median of the last norms, or of the
/// first ones where that is more: late in a run norms are so small that any step stands out.
struct DivergenceWatch: Sendable, Hashable, Codable {
    /// A norm this many times the usual one stops the run.
    static let growthMax = 1000.0
    /// Norms before anything counts as usual, and norms that are remembered.
    static let firstCount = 8, recentCount = 32

    private var first: [Double] = []
    private var recent: [Double] = []

    /// The largest norm with which a step is still taken; nil while too little is known.
    var normMax: Double? {
        guard first.count == Self.firstCount else { return nil }
        let usual = max(Self.median(first), Self.median(recent))
        return usual > 0 ? usual * Self.growthMax : nil
    }

    mutating func note(_ norm: Double) {
        if first.count < Self.firstCount { first.append(norm) }
        recent.append(norm)
        if recent.count > Self.recentCount { recent.removeFirst() }
    }

    private static func median(_ numbers: [Double]) -> Double {
        numbers.sorted()[numbers.count / 2]
    }
}
