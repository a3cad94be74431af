package import Layers
package import Numerics

/// Sizes and choices of a CLIP vision tower.
package struct CLIPVisionConfig: Sendable, Hashable {
    /// D
    package var width: Int
    /// F
    package var innerWidth: Int
    package var layers: Int
    package var heads: Int
    /// Side of a tile in pixels.
    package var tile: Int
    /// Side of a patch in pixels.
    package var patch: Int
    package var epsilon: Float
    package var activation: Activation

    /// OpenAI's ViT-L/14 at 336 pixels.
    package static let large336 = CLIPVisionConfig(width: 1024, layers: 24, tile: 336, patch: 14)

    /// Patches along a side of a tile.
    package var side: Int { tile / patch }

    /// As OpenAI's towers are: heads of 64, four times the width inside.
    private init(width: Int, layers: Int, tile: Int, patch: Int) {
        (self.width, self.layers, self.tile, self.patch) = (width, layers, tile, patch)
        (innerWidth, heads) = (4 * width, width / 64)
        (epsilon, activation) = (1e-5, .quickGELU)
    }

    /// - Parameter vision: the part of `config.json` about the tower
    package init(_ vision: ConfigReader) throws(ModelError) {
        width = try vision.count("hidden_size", or: 768)
        innerWidth = try vision.count("intermediate_size", or: 3072)
        layers = try vision.count("num_hidden_layers", or: 12, max: 4096)
        heads = try vision.count("num_attention_heads", or: 12, max: 1 << 14)
        tile = try vision.count("image_size", or: 224, max: 1 << 14)
        patch = try vision.count("patch_size", or: 32, max: tile)
        epsilon = Float(try vision.number("layer_norm_eps", or: 1e-5))
        activation = try vision.activation("hidden_act", or: "quick_gelu")
        guard width % heads == 0, width / heads <= 256 else {
            throw vision.bad(
                "num_attention_heads", vision["num_attention_heads"],
                "a divisor of \(width) that leaves heads of up to 256")
        }
        guard tile % patch == 0 else {
            throw vision.bad("patch_size", vision["patch_size"], "a divisor of \(tile)")
        }
        guard try vision.count("num_channels", or: 3) == 3 else {
            throw vision.bad("num_channels", vision["num_channels"], "3")
        }
    }
}

extension ConfigReader {
    /// An activation by its name in transformers.
    package func activation(
        _ name: String, or standard: String
    ) throws(ModelError) -> Activation {
        switch try text(name, or: standard) {
        case "gelu": return .gelu
        case "quick_gelu": return .quickGELU
        case "gelu_pytorch_tanh", "gelu_new", "gelu_fast": return .geluTanh
        case "silu", "swish": return .silu
        default:
            throw bad(name, self[name], "gelu, quick_gelu, gelu_pytorch_tanh or silu")
        }
    }
}

/// CLIP's vision tower: tiles in, a row for the class and for each patch out.
package struct CLIPVision: Sendable {
    package let config: CLIPVisionConfig
    private let classRow, positions: Parameter
    private let patchLayer: Linear
    private let norm: LayerNorm
    private let layers: [CLIPLayer]
    /// Loaded so that adapters and files keep it; nothing that this product runs uses it.
    private let lastNorm: LayerNorm

    /// - Parameter weights: the scope of the tower
    package init(_ c: CLIPVisionConfig, from weights: WeightScope) throws(WeightError) {
        config = c
        let embeddings = weights("embeddings")
        classRow = try embeddings.parameter("class_embedding", [c.width])
        positions = try embeddings("position_embedding")
            .parameter("weight", [c.side * c.side + 1, c.width])
        patchLayer = try embeddings("patch_embedding").linear(
            3 * c.patch * c.patch, to: c.width, stored: [c.width, 3, c.patch, c.patch])
        // The key has this spelling in every checkpoint.
        norm = try LayerNorm(weights("pre_layrnorm"), width: c.width, epsilon: c.epsilon)
        var layers: [CLIPLayer] = []
        for index in 0..<c.layers {
            layers.append(try CLIPLayer(c, from: weights("encoder")("layers")(index)))
        }
        self.layers = layers
        lastNorm = try LayerNorm(
            weights("post_layernorm"), width: c.width, epsilon: c.epsilon)
    }

    /// - Parameters:
    ///   - pixels: `[T, 3, tile, tile]`, normalised
    ///   - layers: how many layers to run
    /// - Returns: `[T · (1 + side²), D]`, for each tile the class, then its patches row by row
    package func callAsFunction(
        _ pixels: Tensor, layers count: Int, _ pass: Pass
    ) -> Tensor {
        let segments = Segments(
            lengths: Array(repeating: config.side * config.side + 1, count: pixels.shape[0]))
        let rows = OwnRows(segments, isCausal: false)
        var x = norm(embedded(pixels, pass), pass)
        for layer in layers.prefix(count) {
            if pass.isCheckpointed {
                x = checkpointed([x]) { layer($0[0], rows, pass) }
            } else {
                x = layer(x, rows, pass)
            }
        }
        return x
    }

    private func embedded(_ pixels: Tensor, _ pass: Pass) -> Tensor {
        let tiles = pixels.shape[0]
        let patches = config.side * config.side
        let type = positions.value.type
        let rows = patchLayer(pixels.converted(to: type).patches(size: config.patch), pass)
        let classes = classRow(pass).reshaped([1, config.width])
        let order = (0..<tiles).flatMap { tile in
            [Int32(tiles * patches)] + (0..<patches).map { Int32(tile * patches + $0) }
        }
        let places = (0..<tiles).flatMap { _ in (0...patches).map { Int32($0) } }
        return Tensor.concatenated([rows, classes]).gathered(rows: order)
            + positions(pass).gathered(rows: places)
    }
}

/// Attention, then a feed-forward network, each after a norm and added to what flows in.
private struct CLIPLayer: Sendable {
    private let query, key, value, output, first, second: Linear
    private let attentionNorm, feedForwardNorm: LayerNorm
    private let heads: Int
    private let activation: Activation

    init(_ c: CLIPVisionConfig, from weights: WeightScope) throws(WeightError) {
        let attention = weights("self_attn")
        query = try attention("q_proj").linear(c.width, to: c.width, bias: true)
        key = try attention("k_proj").linear(c.width, to: c.width, bias: true)
        value = try attention("v_proj").linear(c.width, to: c.width, bias: true)
        output = try attention("out_proj").linear(c.width, to: c.width, bias: true)
        first = try weights("mlp")("fc1").linear(c.width, to: c.innerWidth, bias: true)
        second = try weights("mlp")("fc2").linear(c.innerWidth, to: c.width, bias: true)
        attentionNorm = try LayerNorm(weights("layer_norm1"), width: c.width, epsilon: c.epsilon)
        feedForwardNorm = try LayerNorm(weights("layer_norm2"), width: c.width, epsilon: c.epsilon)
        (heads, activation) = (c.heads, c.activation)
    }

    func callAsFunction(_ x: Tensor, _ rows: OwnRows, _ pass: Pass) -> Tensor {
        let normed = attentionNorm(x, pass)
        let y = rows.attend(
            query(normed, pass).heads(heads), key(normed, pass).heads(heads),
            value(normed, pass).heads(heads), layer: 0)
        let x = x + output(y.joinedHeads(), pass)
        let inner = first(feedForwardNorm(x, pass), pass).activated(activation)
        return x + second(inner, pass)
    }
}
