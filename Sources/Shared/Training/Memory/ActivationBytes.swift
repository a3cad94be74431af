import Numerics

/// Bytes that a pass keeps for its way back, and those that its largest moment takes besides.
struct ActivationBytes {
    private(set) var kept = 0
    private(set) var keptPerRow = 0
    private(set) var workspace = 0
    /// The moment that decides the workspace.
    private(set) var phase = ""

    private let recipe: TrainingRecipe
    private let batch: BatchShape
    /// Bytes of an element.
    private let width: Int
    /// Rows that a product packs at a time, in 4 bytes an element.
    private static let slabRows = 2240

    init(_ model: ModelOutline, _ recipe: TrainingRecipe, _ batch: BatchShape) {
        (self.recipe, self.batch) = (recipe, batch)
        width = (recipe.batch.precision ?? .bfloat16).type.byteCount
        let blocks = BlockShape.blocks(of: model, recipe)
        let language = blocks.filter { $0.part == .language }
        let tower = blocks.filter { $0.part == .tower }
        let towerRows = Self.towerRows(model, pixels: batch.pixels)
        let learnsTower = recipe.trains(.tower)
        let isRecomputed = recipe.batch.recomputes == true
        keep(language, rows: batch.tokens, isRecomputed)
        if learnsTower { keep(tower, rows: towerRows, isRecomputed) }
        keepEnds(model, language.first, towerRows: towerRows)
        keptPerRow = kept / max(batch.tokens, 1)
        for block in Set(language) {
            consider("the way back through a block", back(block, rows: batch.tokens, isRecomputed))
        }
        for block in Set(tower) {
            // Nothing of the text is kept yet while the tower runs.
            let own = ahead(block, rows: towerRows) + batch.pixels * (4 + width)
            consider("the vision tower", learnsTower ? own : max(own - kept, 0))
            if learnsTower {
                consider(
                    "the way back through the tower", back(block, rows: towerRows, isRecomputed))
            }
        }
        let head = model.layers.first { $0.path.hasSuffix("lm_head") }
        consider("logits", logits(head))
    }

    private mutating func consider(_ phase: String, _ bytes: Int) {
        if bytes > workspace { (self.phase, workspace) = (phase, bytes) }
    }

    /// Rows of the tower: pixels divided by those of a patch, and a row for each tile's class.
    private static func towerRows(_ model: ModelOutline, pixels: Int) -> Int {
        let patch = model.layers.first { $0.part == .tower && $0.isConvolution }
        return pixels / max(patch?.width ?? 1, 1)
    }

    private mutating func keep(_ blocks: [BlockShape], rows: Int, _ isRecomputed: Bool) {
        for block in blocks {
            kept +=
                isRecomputed
                ? MemoryBlock.bytes(rows * block.width * width) : own(block, rows: rows)
        }
    }

    /// What a block keeps.
    private func own(_ block: BlockShape, rows: Int) -> Int {
        // Both norms keep what flows in, attention its inputs and its result, the activation what
        // it is applied to.
        var widths = [block.width, block.width] + block.attendedWidths + [block.queries]
        widths += block.widenedWidths
        let drops = recipe.method != .full && recipe.adapter.dropout > 0
        widths += drops ? block.termWidths : block.learnedWidths
        // Sums of squares, the logarithms of attention, and what the terms squeeze rows to.
        let floats = 2 + max(block.queries / 64, 1) + block.ranks
        return widths.reduce(floats * 4 * rows) { $0 + MemoryBlock.bytes(rows * $1 * width) }
    }

    /// Rows before the blocks and after them, and those that the loss counts.
    private mutating func keepEnds(
        _ model: ModelOutline, _ block: BlockShape?, towerRows: Int
    ) {
        let flow = (block?.width ?? 0) * width
        kept += 2 * batch.tokens * flow + batch.trainedTokens * flow
        guard recipe.trains(.projector) || recipe.trains(.tower) else { return }
        let projector = model.layers.filter { $0.part == .projector }
        let inner = projector.reduce(0) { $0 + $1.width + $1.outWidth }
        kept += towerRows * inner * width
    }

    /// What the way back through a block takes at its largest moment.
    private func back(_ block: BlockShape, rows: Int, _ isRecomputed: Bool) -> Int {
        let slab = min(rows, Self.slabRows) * 4
        // The gradient of the activation: of its result, and of what it is applied to.
        let activation = ([block.width, block.inner] + block.widenedWidths).reduce(0) {
            $0 + MemoryBlock.bytes($1 * rows * width)
        }
        // Attention's gradient has four sums of queries in float32 for a long text.
        let attention =
            (block.width + block.queries + block.attended) * rows * width
            + 4 * block.queries * rows * 4
        // The product that the widening layers' gradients flow back through.
        let product =
            (2 * block.width + block.widened) * rows * width + slab * block.inner
        var bytes = max(activation, max(attention, product))
        if block.largestLearned > 0 {
            // A weight's gradient packs both the rows that flowed in and their gradients.
            bytes += rows * (block.inner + block.width) * 4 + block.largestLearned * 4
        }
        return bytes + (isRecomputed ? own(block, rows: rows) : 0)
    }

    /// What the way ahead through a block takes where nothing is kept.
    private func ahead(_ block: BlockShape, rows: Int) -> Int {
        let feedForward = 2 * block.width + block.widened + block.inner
        let attention = 3 * block.width + block.attended
        return max(feedForward, attention) * rows * width
            + min(rows, Self.slabRows) * max(block.inner, block.width) * 4
    }

    /// Three blocks of logits: themselves, their gradient, and the packed operand.
    private func logits(_ head: ModelOutline.Layer?) -> Int {
        let rows = min(batch.trainedTokens, 256)
        let (vocabulary, width) = (head?.outWidth ?? 0, head?.width ?? 0)
        return 3 * rows * vocabulary * 4 + 2 * batch.tokens * width * self.width
    }
}

/// How the processor's backend hands out memory.
enum MemoryBlock {
    /// What a tensor takes: sizes go up by eighths of a power of two.
    static func bytes(_ count: Int) -> Int {
        guard count > 64 else { return 64 }
        let step = max(64, 1 << max(Int.bitWidth - (count - 1).leadingZeroBitCount - 4, 0))
        return (count + step - 1) / step * step
    }
}
