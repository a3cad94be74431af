/// Widths of the layers of one block of a transformer, as its linear layers tell them.
struct BlockShape: Hashable {
    let part: ModelPart
    /// D: what flows through the block.
    private(set) var width = 0
    /// What query, key and value give, and query alone.
    private(set) var attendedWidths: [Int] = []
    private(set) var queries = 0
    /// What the layers that widen give, and what the one that narrows takes in.
    private(set) var widenedWidths: [Int] = []
    private(set) var inner = 0
    /// What is kept for the layers that learn: inputs that several share count once.
    private var learned: [Role: Int] = [:]
    /// Inputs of the layers with terms, each for itself, and the sum of their ranks.
    private(set) var termWidths: [Int] = []
    private(set) var ranks = 0
    /// Elements of the largest layer that learns as a whole.
    private(set) var largestLearned = 0

    /// Sums of these widths.
    var attended: Int { attendedWidths.reduce(0, +) }
    var widened: Int { widenedWidths.reduce(0, +) }
    /// Inputs that are kept for layers that learn. Attention's result is kept anyway.
    var learnedWidths: [Int] { learned.filter { $0.key != .output }.map(\.value) }

    enum Role: Hashable { case query, key, output, widening, narrowing }

    init(part: ModelPart) { self.part = part }

    /// The blocks of a model, in order: layers whose paths agree up to their first number.
    static func blocks(of model: ModelOutline, _ recipe: TrainingRecipe) -> [BlockShape] {
        let adapted = Dictionary(
            model.adapted(by: recipe).map { ($0.layer.path, $0.rank) }, uniquingKeysWith: { $1 })
        var (names, blocks) = ([String](), [String: BlockShape]())
        for layer in model.layers {
            guard let (block, name) = split(layer.path) else { continue }
            if blocks[block] == nil {
                names.append(block)
                blocks[block] = BlockShape(part: layer.part)
            }
            blocks[block]?.add(
                layer, named: name, rank: adapted[layer.path],
                learns: recipe.trainsWhole(layer.part))
        }
        return names.compactMap { blocks[$0] }
    }

    /// The block that a path is in, and the layer's own name.
    private static func split(_ path: String) -> (block: String, name: String)? {
        let parts = path.split(separator: ".")
        guard let number = parts.firstIndex(where: { Int($0) != nil }), let name = parts.last
        else { return nil }
        return (parts[...number].joined(separator: "."), String(name))
    }

    private mutating func add(
        _ layer: ModelOutline.Layer, named name: String, rank: Int?, learns: Bool
    ) {
        let role = Self.role(name)
        switch role {
        case .query:
            attendedWidths.append(layer.outWidth)
            (queries, width) = (layer.outWidth, layer.width)
        case .key: attendedWidths.append(layer.outWidth)
        case .output: break
        case .widening: widenedWidths.append(layer.outWidth)
        case .narrowing: inner = layer.width
        }
        if let rank {
            ranks += rank
            termWidths.append(layer.width)
        }
        // Query, key and value share their input.
        if rank != nil || learns { learned[role == .key ? .query : role] = layer.width }
        if learns { largestLearned = max(largestLearned, layer.width * layer.outWidth) }
    }

    private static func role(_ name: String) -> Role {
        switch name {
        case "q_proj", "qkv", "wqkv", "query_key_value": .query
        case "k_proj", "v_proj": .key
        case "o_proj", "out_proj", "proj", "wo", "dense": .output
        case "down_proj", "fc2", "w2", "linear_fc2", "dense_4h_to_h": .narrowing
        default: .widening
        }
    }
}
