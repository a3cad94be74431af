import Foundation

extension TrainingRecipe {
    /// Checks everything that needs no device.
    /// - Parameters:
    ///   - model: what is trained
    ///   - rows: what it is trained on
    /// - Returns: the recipe with all defaults, and what is unusual about it
    package func validated(
        for model: ModelOutline, rows: DatasetFacts
    ) throws(RecipeError) -> CheckedRecipe {
        let recipe = resolved(longestRow: rows.longestRow)
        var check = RecipeCheck(recipe: recipe, model: model)
        check.optimiser()
        check.counts()
        check.adapters()
        check.parts()
        check.rows(rows)
        guard check.problems.isEmpty else { throw RecipeError(problems: check.problems) }
        return CheckedRecipe(recipe: recipe, notes: check.notes)
    }
}

/// Collects what cannot work about a recipe.
private struct RecipeCheck {
    let recipe: TrainingRecipe
    let model: ModelOutline
    var problems: [RecipeProblem] = []
    var notes: [RecipeProblem] = []

    private mutating func require(
        _ holds: Bool, _ field: String, _ seen: some Any, _ allowed: String,
        reason: String = "FIELD_INVALID"
    ) {
        guard !holds else { return }
        problems.append(RecipeProblem(field, seen: "\(seen)", allowed: allowed, reason: reason))
    }

    private mutating func advise(
        _ holds: Bool, _ field: String, _ seen: some Any, _ usual: String
    ) {
        guard !holds else { return }
        notes.append(
            RecipeProblem(field, seen: "\(seen)", allowed: usual, reason: "UNUSUAL_VALUE"))
    }

    mutating func optimiser() {
        let tuning = recipe.optimiser
        rate(tuning.learningRate ?? 0, "optimizer.learning_rate")
        if recipe.method != .full, let rate = tuning.learningRate {
            advise(
                (5e-5...1e-4).contains(rate), "optimizer.learning_rate", rate,
                "usually 5e-5 to 1e-4 with adapters")
        }
        require(
            (0...1).contains(tuning.weightDecay), "optimizer.weight_decay", tuning.weightDecay,
            "0 to 1")
        for (field, beta) in [("beta1", tuning.firstBeta), ("beta2", tuning.secondBeta)] {
            require(beta >= 0 && beta < 1, "optimizer.\(field)", beta, "0 to below 1")
        }
        require(
            tuning.epsilon > 0 && tuning.epsilon < 1, "optimizer.epsilon", tuning.epsilon,
            "above 0 and below 1")
        require(
            tuning.gradientNormMax >= 0 && tuning.gradientNormMax.isFinite,
            "optimizer.gradient_norm_max", tuning.gradientNormMax, "0 (no clipping) or more")
        require(
            (0...0.5).contains(tuning.warmupShare), "optimizer.warmup_share",
            tuning.warmupShare, "0 to 0.5")
    }

    private mutating func rate(_ rate: Double, _ field: String) {
        require(rate > 0 && rate <= 1e-2, field, rate, "above 0 to 0.01")
    }

    mutating func counts() {
        let batch = recipe.batch
        require(
            (1...65_536).contains(batch.rowsPerStep), "batch.rows_per_step", batch.rowsPerStep,
            "1 to 65536")
        require(
            recipe.epochs > 0 && recipe.epochs <= 1000, "epochs", recipe.epochs, "above 0 to 1000")
        advise((2...5).contains(recipe.epochs), "epochs", recipe.epochs, "usually 2 to 5")
        let stopping = recipe.earlyStopping
        require(
            (1...100).contains(stopping.patience), "early_stopping.patience_evaluations",
            stopping.patience, "1 to 100")
        require(
            stopping.deltaMin >= 0 && stopping.deltaMin.isFinite, "early_stopping.delta_min",
            stopping.deltaMin, "0 or more")
        require(
            !stopping.metric.isEmpty, "early_stopping.metric", "empty", "loss, or a task metric")
        require(
            (0...1000).contains(recipe.checkpointsKept), "checkpoints_kept",
            recipe.checkpointsKept, "0 to 1000")
        for (field, steps) in [
            ("evaluation_interval_steps", recipe.evaluationIntervalSteps),
            ("checkpoint_interval_steps", recipe.checkpointIntervalSteps),
        ] {
            require(steps >= 0, field, steps, "0 or more")
        }
    }

    mutating func adapters() {
        guard recipe.method != .full else { return }
        let adapter = recipe.adapter
        // A rank that cannot work is told of by itself, not by the alpha that follows from it.
        if adapter.rank > 0 { alpha(adapter.alpha, "adapter.alpha") }
        require(
            adapter.dropout >= 0 && adapter.dropout < 1, "adapter.dropout", adapter.dropout,
            "0 to below 1")
        guard recipe.method == .qlora else { return }
        require(
            adapter.nf4Block == 64, "adapter.nf4_block_size", adapter.nf4Block,
            "64, the block size that NF4 is kept in here")
    }

    private mutating func alpha(_ alpha: Double?, _ field: String) {
        let alpha = alpha ?? 1
        require(alpha > 0 && alpha.isFinite, field, alpha, "a number above 0")
    }

    mutating func parts() {
        for part in ModelPart.allCases where recipe.trains(part) {
            let (tuning, field) = (recipe.tuning(of: part), "parts[\(part.rawValue)]")
            if let own = tuning.learningRate { rate(own, "\(field).learning_rate") }
            alpha(tuning.alpha, "\(field).alpha")
            let parameters = model.parameters.filter { $0.part == part }
            require(!parameters.isEmpty, field, "trained", "frozen: the model has no such part")
            if recipe.method != .full, !tuning.isWhole { targets(tuning, part, field) }
        }
        require(
            ModelPart.allCases.contains { recipe.trains($0) }, "parts", "all frozen",
            "one part at least that learns")
    }

    private mutating func targets(_ tuning: PartTuning, _ part: ModelPart, _ field: String) {
        let layers = model.layers.filter { $0.part == part }
        let known = Set(layers.map { String($0.path.split(separator: ".").last ?? "") }).sorted()
        for target in tuning.targets where !layers.contains(where: { $0.ends(with: target) }) {
            let near = NearNames(of: target, among: known)
            require(
                false, "\(field).target_modules", target, near.words, reason: "TARGET_UNKNOWN")
        }
        let found = layers.filter { $0.isTarget(of: tuning) }
        if tuning.targets.isEmpty, !layers.isEmpty {
            require(
                !found.isEmpty, "\(field).target_modules", "empty",
                known.joined(separator: ", "), reason: "TARGET_UNKNOWN")
        }
        let isOwn = tuning.rank != nil
        rank(
            tuning.rank ?? recipe.adapter.rank, isOwn ? "\(field).rank" : "adapter.rank",
            widthMax: found.map { min($0.width, $0.outWidth) }.min() ?? 4096)
    }

    private mutating func rank(_ rank: Int, _ field: String, widthMax: Int) {
        let rankMax = min(widthMax, 4096)
        require(
            (1...rankMax).contains(rank), field, rank,
            "1 to \(rankMax), the width of the narrowest target")
        advise((16...64).contains(rank), field, rank, "usually 16 to 64")
        if let servingMax = recipe.servingRankMax {
            require(
                rank <= servingMax, field, rank,
                "up to \(servingMax), the largest rank that the deployment serves")
        }
    }

    mutating func rows(_ facts: DatasetFacts) {
        require(!facts.train.isEmpty, "dataset_version", "a version without train rows", "one row")
        require(
            !facts.validation.isEmpty, "dataset_version", "a version without validation rows",
            "a validation split of one row at least", reason: "VALIDATION_SPLIT_MISSING")
        lossMask(facts.train)
        images(facts)
        if !facts.rejected.isEmpty {
            let some = facts.rejected.prefix(5).map { "\($0.id) (\($0.tokens))" }
            require(
                false, "overlength_policy",
                "\(facts.rejected.count) rows beyond the context, such as "
                    + some.joined(separator: ", "),
                "rows of up to \(model.lengthMax) tokens, or a policy that shortens or skips "
                    + "them", reason: "CONTEXT_EXCEEDED")
        }
        let tokensMax = recipe.batch.microBatchTokensMax ?? .max
        require(
            tokensMax >= facts.longestRow, "batch.micro_batch_tokens_max", tokensMax,
            "\(facts.longestRow) or more, the longest row's tokens")
    }

    /// A mask that learns nothing, or everything, is the mark of a template that does not mark
    /// what the assistant writes.
    private mutating func lossMask(_ rows: [RowFacts]) {
        let trained = rows.reduce(0) { $0 + $1.trainedTokens }
        let all = rows.reduce(0) { $0 + $1.tokens }
        guard all > 0 else { return }
        require(
            trained > 0, "dataset_version", "0 % trained tokens",
            "rows with an answer of the assistant, and a template that marks it",
            reason: "LOSS_MASK_INVALID")
        // The first token of a row has none before it and is never learned.
        require(
            trained < all - rows.count, "dataset_version", "100 % trained tokens",
            "rows with a question that is only read", reason: "LOSS_MASK_INVALID")
        let empty = rows.filter { $0.trainedTokens == 0 }
        if trained > 0 {
            advise(
                empty.isEmpty, "dataset_version",
                "\(empty.count) rows without trained tokens, such as "
                    + empty.prefix(5).map(\.id).joined(separator: ", "),
                "an answer in every row")
        }
    }

    private mutating func images(_ facts: DatasetFacts) {
        let rows = facts.train + facts.validation
        let first = rows.first { $0.images > 0 && $0.imageTokens == 0 }
        require(
            first == nil, "dataset_version",
            "images that become no tokens, in \(first?.id ?? "")", "a model that sees images",
            reason: "IMAGE_TOKENS_MISSING")
        require(
            model.takesImages || !rows.contains { $0.images > 0 }, "model",
            "a model without a token for images",
            "a vision-language model, or rows without images", reason: "IMAGE_TOKENS_MISSING")
    }
}

/// Names that were perhaps meant.
struct NearNames {
    private let names: [String]
    private let known: [String]

    init(of name: String, among known: [String]) {
        self.known = known
        let last = String(name.split(separator: ".").last ?? "")
        let ranked = known.map { (name: $0, far: Self.distance(last, $0)) }
        names = ranked.filter { $0.far <= max(last.count / 2, 1) }
            .sorted { ($0.far, $0.name) < ($1.far, $1.name) }.prefix(3).map(\.name)
    }

    /// What is allowed, the nearest first.
    var words: String {
        let all = known.joined(separator: ", ")
        return names.isEmpty ? all : "\(all); nearest is \(names.joined(separator: ", "))"
    }

    /// The least number of insertions, removals and exchanges of a letter between two names
    /// (Levenshtein).
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for (i, one) in a.enumerated() {
            var corner = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let exchanged = corner + (one == other ? 0 : 1)
                corner = row[j + 1]
                row[j + 1] = min(exchanged, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
