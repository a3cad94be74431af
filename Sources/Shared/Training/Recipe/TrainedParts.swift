package import Layers
package import Models
package import Numerics

extension TrainingRecipe {
    /// How the model is loaded: what learns as a whole stays as it is, the language model's frozen
    /// layers are packed in NF4 with QLoRA.
    package var weightPlan: WeightPlan {
        let recipe = self
        let type = (batch.precision ?? .bfloat16).type
        let nf4: WeightFormat = adapter.isDoubleQuantised ? .nf4Nested : .nf4
        return WeightPlan(
            type: type,
            format: { path in
                let isLayer = ModelPart(of: path) == .language
                return recipe.method == .qlora && isLayer ? nf4 : nil
            },
            isTrainable: { recipe.trainsWhole(ModelPart(of: $0)) })
    }

    /// What a new adapter is made like, in the words of PEFT; nil where the method has none.
    /// - Parameter model: as it was loaded
    package func adapterSpec(for model: ModelOutline) -> AdapterSpec? {
        guard method != .full else { return nil }
        let parts = ModelPart.allCases.filter { trains($0) && !tuning(of: $0).isWhole }
        let patterns = parts.compactMap { pattern(of: $0, in: model) }
        var spec = AdapterSpec(targets: .pattern(patterns.joined(separator: "|")))
        spec.rank = adapter.rank
        spec.alpha = adapter.alpha ?? Double(2 * adapter.rank)
        spec.dropout = adapter.dropout
        spec.isRankStabilised = adapter.isRankStabilised
        for part in parts {
            guard let pattern = pattern(of: part, in: model) else { continue }
            let (tuning, rank) = (tuning(of: part), tuning(of: part).rank)
            if let rank { spec.ranks.append(AdapterRule(pattern, rank)) }
            if let alpha = tuning.alpha ?? rank.map({ Double(2 * $0) }) {
                spec.alphas.append(AdapterRule(pattern, alpha))
            }
        }
        spec.wholeModules = wholeModules(of: model)
        return spec
    }

    /// A regular expression for the paths of a part's targets.
    private func pattern(of part: ModelPart, in model: ModelOutline) -> String? {
        let tuning = tuning(of: part)
        let found = model.layers.filter { $0.part == part && $0.isTarget(of: tuning) }
        let roots = Set(found.map(\.root)).sorted()
        let targets = tuning.targets.isEmpty ? ModelOutline.Layer.standardTargets : tuning.targets
        let used = targets.filter { target in found.contains { $0.ends(with: target) } }
        guard !found.isEmpty else { return nil }
        return "\(Self.choice(roots))(?:\\..*)?\\.\(Self.choice(used))"
    }

    private static func choice(_ names: [String]) -> String {
        "(?:" + names.map { $0.replacing(".", with: "\\.") }.joined(separator: "|") + ")"
    }

    /// The modules that the adapter holds as a whole, by their paths.
    private func wholeModules(of model: ModelOutline) -> [String] {
        let names = model.parameters.filter { trainsWhole($0.part) }.map(\.name)
        let modules = names.compactMap { name in
            name.lastIndex(of: ".").map { String(name[..<$0]) }
        }
        // A row that is a parameter of the model itself belongs to no module that PEFT could hold.
        return Set(modules).subtracting(["model"]).sorted()
    }

    /// The optimiser, with a group for each part that has a learning rate of its own.
    package var adamW: AdamW {
        var options = AdamW.Options()
        options.firstBeta = optimiser.firstBeta
        options.secondBeta = optimiser.secondBeta
        options.epsilon = optimiser.epsilon
        options.weightDecay = optimiser.weightDecay
        options.storage = optimiser.hasByteMoments == true ? .bytes() : .float32
        var groups = ParameterGroups(options)
        let base = optimiser.learningRate ?? 1
        for part in ModelPart.allCases {
            guard let rate = tuning(of: part).learningRate else { continue }
            groups = groups.group(where: { ModelPart(of: $0) == part }) {
                $0.learningRateFactor = rate / base
            }
        }
        return AdamW(groups)
    }

    /// What a step needs to know besides the rows.
    package var stepOptions: TrainingStep.Options {
        var options = TrainingStep.Options()
        let normMax = Float(optimiser.gradientNormMax)
        options.gradientNormMax = normMax > 0 ? normMax : nil
        options.dropout = method == .full ? 0 : adapter.dropout
        options.isCheckpointed = batch.recomputes ?? false
        options.countsChosenTokens = true
        return options
    }

    /// The learning rate of each step.
    /// - Parameter steps: of the whole run
    package func schedule(steps: Int) -> Schedule {
        Schedule(
            optimiser.curve.curve, peak: optimiser.learningRate ?? 0, steps: steps,
            warmup: .share(optimiser.warmupShare))
    }
}

extension ModelOutline.Layer {
    /// The part of its path before the first number, or before its last name.
    fileprivate var root: String {
        let parts = path.split(separator: ".")
        let end = parts.firstIndex { Int($0) != nil } ?? parts.count - 1
        return parts.prefix(max(end, 1)).joined(separator: ".")
    }
}
