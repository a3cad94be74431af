import Messages
import Numerics
import Resources
import Training

/// Makes a recipe of a spec, and a spec of a recipe, with every default in its place.
struct RecipeReader {
    private let spec: TrainSpec

    init(_ spec: TrainSpec) { self.spec = spec }

    func recipe() throws -> TrainingRecipe {
        var recipe = TrainingRecipe()
        recipe.method = try method()
        recipe.adapter = adapter()
        recipe.parts = try parts()
        recipe.optimiser = try optimiser()
        recipe.batch = try batch()
        if spec.epochs != 0 { recipe.epochs = spec.epochs }
        recipe.earlyStopping = earlyStopping()
        recipe.seed = spec.seed
        recipe.overlength = try overlength()
        recipe.badRows = spec.badRowPolicy == .skip ? .skip : .fail
        recipe.lossTurns = spec.lossTurns == .last ? .last : .all
        recipe.evaluationIntervalSteps = Int(spec.evaluationIntervalSteps)
        recipe.checkpointIntervalSteps = Int(spec.checkpointIntervalSteps)
        recipe.checkpointsKept = Int(spec.checkpointsKept)
        if spec.servingRankMax > 0 { recipe.servingRankMax = Int(spec.servingRankMax) }
        return recipe
    }

    private func unknown(_ field: String, _ value: some OpenEnum, _ all: [String]) -> ResourceError
    {
        .invalid(
            field: "spec.train.\(field)", seen: "\(value)",
            allowed: "one of \(all.joined(separator: ", ")) is allowed")
    }

    private func method() throws(ResourceError) -> RunMethod {
        switch spec.method {
        case .unspecified, .lora: return .lora
        case .qlora: return .qlora
        case .full: return .full
        default:
            throw unknown("method", spec.method, Messages.TuningMethod.allKnown.map(\.plainName))
        }
    }

    private func overlength() throws(ResourceError) -> RunOverlength {
        switch spec.overlengthPolicy {
        case .unspecified, .reject: return .reject
        case .shrinkImage: return .shrinkImage
        case .splitTurns: return .splitTurns
        case .skip: return .skip
        default:
            throw unknown(
                "overlength_policy", spec.overlengthPolicy,
                Messages.OverlengthPolicy.allKnown.map(\.plainName))
        }
    }

    private func adapter() -> RunAdapterTuning {
        var tuning = RunAdapterTuning()
        guard let asked = spec.adapter else { return tuning }
        if asked.rank > 0 { tuning.rank = Int(asked.rank) }
        if asked.alpha != 0 { tuning.alpha = asked.alpha }
        if let dropout = asked.dropout { tuning.dropout = Float(dropout) }
        tuning.isRankStabilised = asked.rankStabilized
        if asked.nf4BlockSize > 0 { tuning.nf4Block = Int(asked.nf4BlockSize) }
        tuning.isDoubleQuantised = asked.nf4DoubleQuantization ?? true
        return tuning
    }

    private func parts() throws(ResourceError) -> [RunPart: RunPartTuning] {
        var parts: [RunPart: RunPartTuning] = [:]
        for (index, asked) in spec.parts.enumerated() {
            let field = "parts[\(index)].part"
            guard let part = RunPart(asked.part) else {
                throw unknown(field, asked.part, Messages.ModelPart.allKnown.map(\.plainName))
            }
            guard parts[part] == nil else {
                throw .invalid(
                    field: "spec.train.\(field)", seen: asked.part.plainName,
                    allowed: "each part is allowed once")
            }
            var tuning = RunPartTuning()
            tuning.isFrozen = asked.frozen
            if asked.rank > 0 { tuning.rank = Int(asked.rank) }
            if asked.alpha != 0 { tuning.alpha = asked.alpha }
            tuning.targets = asked.targetModules
            tuning.learningRate = asked.learningRate
            tuning.isWhole = asked.trainInFull
            parts[part] = tuning
        }
        return parts
    }

    private func optimiser() throws(ResourceError) -> RunOptimiserTuning {
        var tuning = RunOptimiserTuning()
        guard let asked = spec.optimizer else { return tuning }
        if asked.learningRate != 0 { tuning.learningRate = asked.learningRate }
        tuning.weightDecay = asked.weightDecay
        tuning.firstBeta = asked.beta1 ?? tuning.firstBeta
        tuning.secondBeta = asked.beta2 ?? tuning.secondBeta
        if asked.epsilon != 0 { tuning.epsilon = asked.epsilon }
        tuning.hasByteMoments = asked.eightBitMoments
        tuning.gradientNormMax = asked.gradientNormMax ?? tuning.gradientNormMax
        switch asked.schedule {
        case .unspecified, .cosine: tuning.curve = .cosine
        case .linear: tuning.curve = .linear
        case .constant: tuning.curve = .constant
        default:
            throw unknown(
                "optimizer.schedule", asked.schedule, ScheduleShape.allKnown.map(\.plainName))
        }
        tuning.warmupShare = asked.warmupShare ?? tuning.warmupShare
        return tuning
    }

    private func batch() throws(ResourceError) -> RunBatchTuning {
        var tuning = RunBatchTuning()
        guard let asked = spec.batch else { return tuning }
        if asked.rowsPerStep > 0 { tuning.rowsPerStep = Int(asked.rowsPerStep) }
        if asked.microBatchTokensMax > 0 {
            tuning.microBatchTokensMax = Int(asked.microBatchTokensMax)
        }
        tuning.recomputes = asked.recomputeActivations
        switch asked.precision {
        case .unspecified: break
        case .float32: tuning.precision = .float32
        case .bfloat16: tuning.precision = .bfloat16
        default: throw unknown("batch.precision", asked.precision, ["FLOAT32", "BFLOAT16"])
        }
        return tuning
    }

    private func earlyStopping() -> RunEarlyStopping {
        var stopping = RunEarlyStopping()
        guard let asked = spec.earlyStopping else { return stopping }
        if !asked.metric.isEmpty { stopping.metric = asked.metric }
        if asked.patienceEvaluations > 0 { stopping.patience = Int(asked.patienceEvaluations) }
        stopping.deltaMin = asked.deltaMin
        stopping.isDisabled = asked.disabled
        return stopping
    }
}

extension TrainSpec {
    /// The spec with the values that a recipe has.
    func completed(by recipe: TrainingRecipe) -> TrainSpec {
        var spec = self
        spec.method = [.lora: .lora, .qlora: .qlora, .full: .full][recipe.method] ?? spec.method
        spec.epochs = recipe.epochs
        if recipe.method != .full {
            spec.adapter = .with {
                ($0.rank, $0.alpha) = (
                    UInt32(clamping: recipe.adapter.rank), recipe.adapter.alpha ?? 0
                )
                $0.dropout = Double("\(recipe.adapter.dropout)")
                $0.rankStabilized = recipe.adapter.isRankStabilised
                guard recipe.method == .qlora else { return }
                $0.nf4BlockSize = UInt32(clamping: recipe.adapter.nf4Block)
                $0.nf4DoubleQuantization = recipe.adapter.isDoubleQuantised
            }
        }
        let optimiser = recipe.optimiser
        spec.optimizer = .with {
            ($0.learningRate, $0.weightDecay) = (
                optimiser.learningRate ?? 0, optimiser.weightDecay
            )
            ($0.beta1, $0.beta2) = (optimiser.firstBeta, optimiser.secondBeta)
            ($0.epsilon, $0.eightBitMoments) = (optimiser.epsilon, optimiser.hasByteMoments)
            ($0.gradientNormMax, $0.warmupShare) = (
                optimiser.gradientNormMax, optimiser.warmupShare
            )
            $0.schedule =
                [.cosine: .cosine, .linear: .linear, .constant: .constant][optimiser.curve]
                ?? .cosine
        }
        spec.batch = .with {
            $0.rowsPerStep = UInt32(clamping: recipe.batch.rowsPerStep)
            $0.microBatchTokensMax = UInt32(clamping: recipe.batch.microBatchTokensMax ?? 0)
            $0.recomputeActivations = recipe.batch.recomputes
            $0.precision = recipe.batch.precision == .float32 ? .float32 : .bfloat16
        }
        spec.earlyStopping = .with {
            $0.metric = recipe.earlyStopping.metric
            $0.patienceEvaluations = UInt32(clamping: recipe.earlyStopping.patience)
            $0.deltaMin = recipe.earlyStopping.deltaMin
            $0.disabled = recipe.earlyStopping.isDisabled
        }
        if spec.overlengthPolicy == .unspecified { spec.overlengthPolicy = .reject }
        if spec.badRowPolicy == .unspecified { spec.badRowPolicy = .fail }
        if spec.lossTurns == .unspecified { spec.lossTurns = .all }
        return spec
    }
}

extension RunPart {
    /// The part that the contract names; nil for those that no model here has.
    init?(_ part: Messages.ModelPart) {
        switch part {
        case .visionTower: self = .tower
        case .projector: self = .projector
        case .languageModel: self = .language
        case .embeddings: self = .embeddings
        default: return nil
        }
    }
}
