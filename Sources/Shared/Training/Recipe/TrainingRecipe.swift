package import Numerics

/// A part of a model that can be treated on its own.
package enum ModelPart: String, Sendable, Hashable, Codable, CaseIterable, CodingKeyRepresentable {
    case tower
    case projector
    case language
    /// The table of tokens, the output head and single rows such as a line's end.
    case embeddings

    /// The part of a module or parameter.
    /// - Parameter name: as in transformers' memory, such as `model.vision_tower.post_layernorm`
    package init(of name: String) {
        let parts = name.split(separator: ".")
        let isIn = { (names: Set<Substring>) in parts.contains { names.contains($0) } }
        if isIn(["multi_modal_projector", "mlp1", "merger", "linear_proj"]) {
            self = .projector
        } else if isIn(["vision_tower", "visual", "vision_model", "vision"]) {
            self = .tower
        } else if isIn(["embed_tokens", "lm_head", "tok_embeddings", "output", "image_newline"]) {
            self = .embeddings
        } else {
            self = .language
        }
    }
}

/// Which parameters learn.
package enum TuningMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// Low-rank matrices beside frozen weights.
    case lora
    /// The same beside frozen 4-bit weights (NF4).
    case qlora
    /// Every parameter of the parts that are not frozen.
    case full
}

/// What becomes of a row that is longer than the context. An image is never cut.
package enum OverlengthPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The run does not start, and names the rows.
    case reject
    /// Images are made smaller until the row fits.
    case shrinkImage
    /// Whole exchanges are dropped from the front.
    case splitTurns
    /// The row is left out and counted.
    case skip
}

/// What becomes of a row that turns out unreadable in the middle of a run.
package enum BadRowPolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The run stops and names the row.
    case fail
    /// The row is left out, counted and reported.
    case skip
}

/// Which assistant turns are learned.
package enum LossTurns: String, Sendable, Hashable, Codable, CaseIterable { case all, last }

/// The type of activations, and of frozen weights that are not quantised.
package enum TrainingPrecision: String, Sendable, Hashable, Codable, CaseIterable {
    case float32, bfloat16

    /// As tensors have it.
    package var type: DType { self == .float32 ? .float32 : .bfloat16 }
}

/// Everything that decides what a training run does; the same recipe, seed and rows give the same
/// bits. Fields that are nil stand for a default that depends on others: see `resolved`.
package struct TrainingRecipe: Sendable, Hashable, Codable {
    package var method = TuningMethod.lora
    package var adapter = AdapterTuning()
    /// Parts that differ from the default: the language model learns, all others are frozen.
    package var parts: [ModelPart: PartTuning] = [:]
    package var optimiser = OptimiserTuning()
    package var batch = BatchTuning()
    /// Passes over the train split, above 0 to 1000.
    package var epochs = 3.0
    package var earlyStopping = EarlyStopping()
    package var seed: UInt64 = 0
    package var overlength = OverlengthPolicy.reject
    package var badRows = BadRowPolicy.fail
    package var lossTurns = LossTurns.all
    /// Evaluate after this many steps; 0 for the end of each epoch only.
    package var evaluationIntervalSteps = 0
    /// Checkpoint after this many steps too; 0 for the end of each epoch only.
    package var checkpointIntervalSteps = 0
    /// Checkpoints kept beside best and last, 0 to 1000.
    package var checkpointsKept = 0
    /// The largest rank that the deployment serves; nil where nobody asks.
    package var servingRankMax: Int?

    package init() {}
}

/// The low-rank matrices.
package struct AdapterTuning: Sendable, Hashable, Codable {
    /// 1 to the width of the narrowest target.
    package var rank = 16
    /// Terms count alpha / rank times; nil for twice the rank.
    package var alpha: Double?
    /// Share of what flows into the terms that is dropped, 0 to below 1.
    package var dropout: Float = 0.05
    /// Terms count alpha / √rank times.
    package var isRankStabilised = false
    /// Elements that share a scale in NF4.
    package var nf4Block = 64
    /// Whether the scales of NF4 are quantised too.
    package var isDoubleQuantised = true

    package init() {}
}

/// How one part of the model is treated.
package struct PartTuning: Sendable, Hashable, Codable {
    /// Nothing of it changes.
    package var isFrozen = false
    /// Rank of adapters here; nil for the recipe's.
    package var rank: Int?
    /// Alpha of adapters here; nil for twice the rank, or the recipe's with the recipe's rank.
    package var alpha: Double?
    /// Ends of the names of the linear layers that get adapters; empty for the attention's.
    package var targets: [String] = []
    /// Learning rate here; nil for the recipe's.
    package var learningRate: Double?
    /// Whether the part learns as a whole although the method uses adapters.
    package var isWhole = false

    package init() {}
}

/// The optimiser: AdamW.
package struct OptimiserTuning: Sendable, Hashable, Codable {
    /// Shape of the learning rate after the warm-up.
    package enum Curve: String, Sendable, Hashable, Codable, CaseIterable {
        case cosine, linear, constant

        var curve: Schedule.Curve {
            switch self {
            case .cosine: .cosine
            case .linear: .linear
            case .constant: .constant
            }
        }
    }

    /// Peak, above 0 to 1e-2; nil for 1e-4 with adapters and 1e-5 without.
    package var learningRate: Double?
    package var weightDecay = 0.0
    package var firstBeta = 0.9
    package var secondBeta = 0.999
    package var epsilon = 1e-8
    /// Whether moments are kept in 8 bits; nil for with QLoRA.
    package var hasByteMoments: Bool?
    /// Largest norm of the gradient; 0 for no clipping.
    package var gradientNormMax = 1.0
    package var curve = Curve.cosine
    /// Share of steps in which the rate rises from 0: 0 to 0.5.
    package var warmupShare = 0.03

    package init() {}
}

/// How many rows go into a step.
package struct BatchTuning: Sendable, Hashable, Codable {
    /// Rows for one change of the weights, 1 to 65,536.
    package var rowsPerStep = 8
    /// Most tokens computed at once; nil for the longest row or 4096, whichever is more.
    package var microBatchTokensMax: Int?
    /// Whether activations are computed again in the backward pass; nil for no.
    package var recomputes: Bool?
    /// nil for bfloat16.
    package var precision: TrainingPrecision?

    package init() {}
}

/// When to stop before the last epoch.
package struct EarlyStopping: Sendable, Hashable, Codable {
    /// `loss`, or a metric that whoever drives the run measures.
    package var metric = "loss"
    /// Evaluations without improvement before the run stops, 1 to 100.
    package var patience = 2
    /// The smallest change that counts as improvement.
    package var deltaMin = 0.0
    /// Never stop early; best and last are kept all the same.
    package var isDisabled = false
    /// Whether more is better; nil for what the metric's name says: less of a loss, a perplexity
    /// or an error, more of anything else.
    package var isMoreBetter: Bool?

    package init() {}

    /// Whether a larger number of the metric is an improvement.
    package var wantsMore: Bool {
        isMoreBetter ?? !["loss", "perplexity", "error"].contains { metric.hasSuffix($0) }
    }
}

extension TrainingRecipe {
    /// The same with every default in place.
    /// - Parameter longestRow: in tokens
    package func resolved(longestRow: Int = 0) -> TrainingRecipe {
        var copy = self
        let rate = optimiser.learningRate ?? (method == .full ? 1e-5 : 1e-4)
        copy.optimiser.learningRate = rate
        copy.optimiser.hasByteMoments = optimiser.hasByteMoments ?? (method == .qlora)
        copy.adapter.alpha = adapter.alpha ?? Double(2 * adapter.rank)
        copy.batch.microBatchTokensMax = batch.microBatchTokensMax ?? max(longestRow, 4096)
        copy.batch.recomputes = batch.recomputes ?? false
        copy.batch.precision = batch.precision ?? .bfloat16
        return copy
    }

    /// How a part is treated.
    package func tuning(of part: ModelPart) -> PartTuning {
        if let own = parts[part] { return own }
        var standard = PartTuning()
        standard.isFrozen = part != .language
        return standard
    }

    /// Whether any parameter or adapter of a part learns.
    package func trains(_ part: ModelPart) -> Bool { !tuning(of: part).isFrozen }

    /// Whether a part learns as a whole.
    package func trainsWhole(_ part: ModelPart) -> Bool {
        let tuning = tuning(of: part)
        return !tuning.isFrozen && (method == .full || tuning.isWhole)
    }
}
