package import Models
import Numerics

/// What a micro-batch is in numbers.
package struct BatchShape: Sendable, Hashable {
    /// Rows of text, those of images among them.
    package var tokens: Int
    /// Rows that the loss counts.
    package var trainedTokens: Int
    /// Elements of the pixels that the tower sees.
    package var pixels: Int

    package init(tokens: Int, trainedTokens: Int, pixels: Int) {
        (self.tokens, self.trainedTokens, self.pixels) = (tokens, trainedTokens, pixels)
    }

    /// A batch as the model reads it.
    package init(_ inputs: [ModelInput]) {
        self.init(
            tokens: inputs.reduce(0) { $0 + $1.ids.count },
            trainedTokens: inputs.reduce(0) { $0 + $1.trainedCount },
            pixels: inputs.reduce(0) { $0 + $1.images.reduce(0) { $0 + $1.pixels.count } })
    }
}

/// What memory is used for.
package enum MemoryUse: String, Sendable, Hashable, CaseIterable {
    case frozenWeights, trainedWeights, gradients, optimiser, activations, workspace, input, program
}

/// Bytes for one use, and how the number comes about.
package struct MemoryShare: Sendable, Hashable {
    package let use: MemoryUse
    package let bytes: Int
    package let formula: String
}

/// The memory that a run needs at its worst micro-batch: arithmetic over the layers' widths, with
/// nothing loaded. It follows what this engine keeps for the way back; docs/training.md says how
/// far from measured peaks it is.
package struct MemoryEstimate: Sendable, Hashable {
    /// In the order of `MemoryUse`, empty ones left out.
    package let shares: [MemoryShare]
    /// Elements that learn, and all elements of the model.
    package let trainedCount: Int, modelCount: Int

    /// Bytes of tensors at the peak.
    package var deviceBytes: Int {
        shares.reduce(0) { $0 + ($1.use == .program || $1.use == .input ? 0 : $1.bytes) }
    }
    /// Bytes of the process at the peak, where the device is the processor.
    package var hostBytes: Int { shares.reduce(0) { $0 + $1.bytes } }

    /// - Parameters:
    ///   - model: its layers
    ///   - recipe: with all defaults
    ///   - batch: the largest micro-batch
    ///   - microBatches: of a step at most
    package init(
        _ model: ModelOutline, _ recipe: TrainingRecipe, batch: BatchShape, microBatches: Int = 1
    ) {
        let recipe = recipe.resolved()
        let parts = WeightBytes(model, recipe)
        let activations = ActivationBytes(model, recipe, batch)
        trainedCount = model.trainedCount(recipe)
        modelCount = model.parameterCount
        // Gradients come as activations go: the peak is where the way back begins, or where the
        // optimiser has all gradients.
        let ahead = microBatches > 1 ? 4 * trainedCount : 0
        let all = parts.gradientBytes(trained: trainedCount, isSummed: microBatches > 1)
        let isAtStart = activations.kept + activations.workspace + ahead >= all
        let gradients = isAtStart ? ahead : all
        let shares = [
            MemoryShare(
                use: .frozenWeights, bytes: parts.frozen,
                formula: "\(modelCount) parameters, \(parts.quantisedCount) of them in NF4"),
            MemoryShare(
                use: .trainedWeights, bytes: parts.trainedBytes,
                formula: "\(trainedCount) x \(parts.trainedWidth) bytes"),
            MemoryShare(
                use: .gradients, bytes: gradients,
                formula: "\(trainedCount) x \(gradients / max(trainedCount, 1)) bytes"),
            MemoryShare(
                use: .optimiser, bytes: parts.optimiserBytes(model),
                formula: "\(trainedCount) parameters, two moments"
                    + (recipe.optimiser.hasByteMoments == true ? " in 8 bits" : "")),
            MemoryShare(
                use: .activations, bytes: isAtStart ? activations.kept : 0,
                formula: "\(batch.tokens) rows, \(activations.keptPerRow) bytes each"),
            MemoryShare(
                use: .workspace, bytes: isAtStart ? activations.workspace : 0,
                formula: activations.phase),
            MemoryShare(
                use: .input, bytes: 2 * batch.pixels * 4,
                formula: "pixels of this step and the next, \(batch.pixels) x 4 bytes each"),
            MemoryShare(use: .program, bytes: 72 << 20, formula: "the program itself"),
        ]
        self.shares = shares.filter { $0.bytes > 0 }
    }
}

extension MemoryEstimate {
    /// The most tokens of a micro-batch with which a run fits into memory.
    /// - Parameters:
    ///   - deviceBytes: what tensors may take
    ///   - longest: the longest row
    /// - Returns: 0 where not even the longest row fits
    package static func tokensMax(
        fitting deviceBytes: Int, _ model: ModelOutline, _ recipe: TrainingRecipe,
        longest: BatchShape
    ) -> Int {
        let rows = max(recipe.batch.rowsPerStep, 1)
        func fits(_ tokens: Int) -> Bool {
            let share = Double(tokens) / Double(max(longest.tokens, 1))
            let batch = BatchShape(
                tokens: tokens, trainedTokens: Int(share * Double(longest.trainedTokens)),
                pixels: Int(share * Double(longest.pixels)))
            let estimate = MemoryEstimate(model, recipe, batch: batch, microBatches: rows)
            return estimate.deviceBytes <= deviceBytes
        }
        guard fits(longest.tokens) else { return 0 }
        var range = longest.tokens..<longest.tokens * rows + 1
        while range.count > 1 {
            let middle = range.lowerBound + range.count / 2
            range = fits(middle) ? middle..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }
}

/// Bytes of weights, gradients and moments.
private struct WeightBytes {
    private(set) var frozen = 0
    private(set) var quantisedCount = 0
    let trainedBytes: Int
    /// Bytes of a trained element, and of the copy that the model keeps beside it.
    let trainedWidth: Int
    private let recipe: TrainingRecipe
    private let width: Int

    init(_ model: ModelOutline, _ recipe: TrainingRecipe) {
        self.recipe = recipe
        width = (recipe.batch.precision ?? .bfloat16).type.byteCount
        let linears = Dictionary(
            model.layers.map { ($0.path + ".weight", $0) }, uniquingKeysWith: { $1 })
        for parameter in model.parameters {
            let isWhole = recipe.trainsWhole(parameter.part)
            guard let layer = linears[parameter.name], !isWhole else {
                frozen += parameter.count * (parameter.name.hasSuffix("proj.bias") ? 4 : width)
                continue
            }
            // Panels of 32 rows.
            let rows = (layer.outWidth + 31) / 32 * 32
            // Blocks of 64 run on over the ends of rows that are no multiple of it.
            let group = min(max(layer.width & -layer.width, 1), 64)
            if recipe.method == .qlora, layer.part == .language {
                quantisedCount += parameter.count
                frozen += rows * ((layer.width + 15) / 16 * 8 + layer.width / group * 4)
            } else {
                frozen += rows * layer.width * width
            }
        }
        // An adapter is float32; what learns as a whole in full stays of the model's type.
        trainedWidth = recipe.method == .full ? width : 4
        trainedBytes = model.trainedCount(recipe) * trainedWidth
    }

    /// Gradients are of their parameters' type, their sum is float32.
    func gradientBytes(trained: Int, isSummed: Bool) -> Int {
        let isSame = trainedWidth == 4 && !isSummed
        return trained * (isSame ? 4 : trainedWidth + 4)
    }

    func optimiserBytes(_ model: ModelOutline) -> Int {
        let bytes = recipe.optimiser.hasByteMoments == true
        let master = trainedWidth == 4 ? 0 : 4
        func moments(_ count: Int) -> Int {
            // Small tensors stay float32; others have a float32 scale for 256 elements.
            bytes && count >= 4096 ? 2 * count + 2 * (count + 255) / 256 * 4 : 8 * count
        }
        var total = 0
        for (layer, rank) in model.adapted(by: recipe) {
            total += moments(rank * layer.width) + moments(rank * layer.outWidth)
        }
        for parameter in model.parameters where recipe.trainsWhole(parameter.part) {
            total += moments(parameter.count) + master * parameter.count
        }
        return total
    }
}
