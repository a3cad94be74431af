package import Layers
package import Numerics

/// A language model of the LLaMA kind: token rows in, hidden rows out, and logits of those.
package struct Decoder: Sendable {
    package let config: DecoderConfig
    package let embedding: Embedding
    package let layers: [DecoderLayer]
    package let norm: RMSNorm
    /// The projection to logits, `[V, D]`.
    package let head: Linear

    /// - Parameters:
    ///   - weights: the scope of table, layers and norm
    ///   - head: the scope of the projection
    package init(
        _ config: DecoderConfig, from weights: WeightScope, head: WeightScope
    ) throws(WeightError) {
        self.config = config
        embedding = try Embedding(
            weights("embed_tokens"), rows: config.vocabulary, width: config.width)
        var layers: [DecoderLayer] = []
        for index in 0..<config.layers {
            layers.append(try DecoderLayer(config, from: weights("layers")(index)))
        }
        self.layers = layers
        norm = try RMSNorm(weights("norm"), width: config.width, epsilon: config.epsilon)
        self.head =
            if config.isTied && !head.has("weight") {
                try head.linear(tiedTo: embedding.table)
            } else {
                try head.linear(config.width, to: config.vocabulary)
            }
    }

    /// The angles of rows.
    /// - Parameter positions: int32 `[N]`
    package func rotary(at positions: Tensor) -> RotaryTables {
        RotaryFrequencies(
            width: config.headWidth, base: config.rotaryBase, scaling: config.rotaryScaling
        ).tables(at: positions)
    }

    /// Rows after the last norm, of sequences whose earlier rows are in memory.
    /// - Parameter x: `[N, D]`
    /// - Returns: `[N, D]`
    package func callAsFunction(
        _ x: Tensor, _ rotary: RotaryTables, _ memory: some AttentionMemory, _ pass: Pass
    ) -> Tensor {
        var x = x
        for (index, layer) in layers.enumerated() {
            x = layer(x, rotary, (memory, index), pass)
        }
        return norm(x, pass)
    }

    /// Rows before each layer and after the last norm, of whole sequences.
    /// - Parameters:
    ///   - x: `[N, D]`
    ///   - segments: the sequences
    ///   - watch: called with the rows before each layer
    /// - Returns: `[N, D]`
    package func callAsFunction(
        _ x: Tensor, _ rotary: RotaryTables, _ segments: Segments, _ pass: Pass,
        watch: (Tensor) -> Void = { _ in }
    ) -> Tensor {
        let rows = OwnRows(segments)
        var x = x
        for (index, layer) in layers.enumerated() {
            watch(x)
            if pass.isCheckpointed {
                x = checkpointed([x]) { layer($0[0], rotary, (rows, index), pass) }
            } else {
                x = layer(x, rotary, (rows, index), pass)
            }
        }
        return norm(x, pass)
    }
}

/// Attention, then a gated feed-forward network, each after a norm and added to what flows in.
package struct DecoderLayer: Sendable {
    private let attention: DecoderAttention
    private let feedForward: GatedFeedForward
    private let attentionNorm, feedForwardNorm: RMSNorm

    init(_ c: DecoderConfig, from weights: WeightScope) throws(WeightError) {
        attention = try DecoderAttention(c, from: weights("self_attn"))
        feedForward = try GatedFeedForward(
            width: c.width, inner: c.innerWidth, bias: c.hasFeedForwardBias, from: weights("mlp"))
        attentionNorm = try RMSNorm(
            weights("input_layernorm"), width: c.width, epsilon: c.epsilon)
        feedForwardNorm = try RMSNorm(
            weights("post_attention_layernorm"), width: c.width, epsilon: c.epsilon)
    }

    /// - Parameters:
    ///   - x: `[N, D]`
    ///   - place: the memory of keys and values, and this layer's number in it
    /// - Returns: `[N, D]`
    package func callAsFunction(
        _ x: Tensor, _ rotary: RotaryTables, _ place: (memory: some AttentionMemory, layer: Int),
        _ pass: Pass
    ) -> Tensor {
        let x = x + attention(attentionNorm(x, pass), rotary, place, pass)
        return x + feedForward(feedForwardNorm(x, pass), pass)
    }
}

/// Grouped-query self-attention with rotary positions.
private struct DecoderAttention: Sendable {
    private let query, key, value, output: Linear
    private let heads, keyHeads: Int

    init(_ c: DecoderConfig, from weights: WeightScope) throws(WeightError) {
        let (queryWidth, keyWidth) = (c.heads * c.headWidth, c.keyHeads * c.headWidth)
        let bias = c.hasAttentionBias
        query = try weights("q_proj").linear(c.width, to: queryWidth, bias: bias)
        key = try weights("k_proj").linear(c.width, to: keyWidth, bias: bias)
        value = try weights("v_proj").linear(c.width, to: keyWidth, bias: bias)
        output = try weights("o_proj").linear(queryWidth, to: c.width, bias: c.hasOutputBias)
        (heads, keyHeads) = (c.heads, c.keyHeads)
    }

    func callAsFunction(
        _ x: Tensor, _ rotary: RotaryTables, _ place: (memory: some AttentionMemory, layer: Int),
        _ pass: Pass
    ) -> Tensor {
        let q = query(x, pass).heads(heads).rotated(by: rotary)  // [N, H, K]
        let k = key(x, pass).heads(keyHeads).rotated(by: rotary)  // [N, G, K]
        let v = value(x, pass).heads(keyHeads)  // [N, G, K]
        let y = place.memory.attend(q, k, v, layer: place.layer)
        return output(y.joinedHeads(), pass)
    }
}

/// down(silu(gate x) · up x)
package struct GatedFeedForward: Sendable {
    private let gate, up, down: Linear

    /// - Parameters:
    ///   - width: D
    ///   - inner: F
    package init(
        width: Int, inner: Int, bias: Bool, from weights: WeightScope
    ) throws(WeightError) {
        gate = try weights("gate_proj").linear(width, to: inner, bias: bias)
        up = try weights("up_proj").linear(width, to: inner, bias: bias)
        down = try weights("down_proj").linear(inner, to: width, bias: bias)
    }

    /// - Parameter x: `[N, D]`
    /// - Returns: `[N, D]`
    package func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
        down(gate(x, pass).swiGLU(up(x, pass)), pass)
    }
}
