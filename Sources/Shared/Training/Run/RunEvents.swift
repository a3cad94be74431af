/// Numbers of one step.
package struct StepMeasures: Sendable, Hashable {
    /// From 1.
    package let step: Int
    /// Passes done over the train split, this step included.
    package let epoch: Double
    /// Mean over the trained tokens, in nats, before the step.
    package let loss: Double
    package let learningRate: Double
    /// Before clipping.
    package let gradientNorm: Double
    package let trainedTokens: Int
    /// Images included.
    package let totalTokens: Int
    /// Share of trained tokens that the model would have chosen.
    package let tokenAccuracy: Double
    /// The whole step, and of that waiting for rows.
    package let seconds: Double
    package let inputWaitSeconds: Double
    /// Memory on the device at its peak.
    package let peakBytes: Int
    /// Micro-batches whose gradients were summed.
    package let microBatches: Int
    /// Rows that were left out because they are bad.
    package let skipped: [SkippedRow]
}

/// A row that was left out, and why.
package struct SkippedRow: Sendable, Hashable {
    package let id: String
    package let why: String
    /// UPPER_SNAKE_CASE, for programs.
    package let reason: String

    init(_ id: String, _ fault: RowFault) {
        (self.id, why, reason) = (id, fault.message, fault.reason)
    }
}

/// Numbers of an evaluation in the course of a run.
package struct EvaluationMeasures: Sendable, Hashable {
    /// Steps done.
    package let step: Int
    package let epoch: Double
    /// Mean over the trained tokens of the validation split, in nats.
    package let loss: Double
    package let tokenAccuracy: Double
    /// Metrics of the task, by name.
    package let metrics: [String: Double]
    /// Whether the metric that decides improved.
    package let isImproved: Bool
    package let rows: Int
    package let trainedTokens: Int
    package let seconds: Double
    /// Rows that were left out because they are bad.
    package let skipped: [SkippedRow]
}

/// A step that must not be taken, and what it came from.
package struct Divergence: Sendable, Hashable {
    /// The step that was not taken, from 1.
    package let step: Int
    package let loss: Double
    package let gradientNorm: Double
    /// The largest norm that would have been taken; nil while too little was known.
    package let gradientNormMax: Double?
    /// Tensors whose gradients are no finite numbers.
    package let tensors: [String]
    /// Names of the rows of the step.
    package let rows: [String]

    /// In words, with the numbers.
    package var message: String {
        let names = rows.prefix(8).joined(separator: ", ") + (rows.count > 8 ? ", ..." : "")
        let seen =
            if !tensors.isEmpty || !loss.isFinite {
                "loss \(loss), \(tensors.count) gradients that are no finite numbers"
            } else {
                "a gradient of norm \(gradientNorm), allowed is \(gradientNormMax ?? .infinity)"
            }
        return "step \(step) gave \(seen); its rows are \(names). "
            + "Look at these rows, or use a smaller learning rate"
    }
}

/// Why a run stopped.
package enum RunEnding: Sendable, Hashable {
    /// All steps are done.
    case finished
    /// Evaluations did not improve any more.
    case stoppedEarly(evaluations: Int)
    case diverged(Divergence)
    /// Somebody asked; the run can go on.
    case paused
    /// Somebody asked.
    case cancelled
}

/// What one call of `advance` did.
package enum RunEvent: Sendable, Hashable {
    case step(StepMeasures)
    case evaluation(EvaluationMeasures)
    case checkpoint(CheckpointRecord)
    case stopped(RunEnding)
}

/// A checkpoint on disk.
package struct CheckpointRecord: Sendable, Hashable {
    /// Its folder's name.
    package let name: String
    /// Steps done.
    package let step: Int
    package let epoch: Double
    /// Whether it is the best by the metric that decides.
    package let isBest: Bool
    /// SHA-256 of the adapter's tensors, or over the model's files in order of name.
    package let weightsDigest: String
    package let byteCount: Int
    /// Checkpoints that were removed for it.
    package let removed: [String]
}
