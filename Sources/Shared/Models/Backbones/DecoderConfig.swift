package import Numerics
import Text

/// Sizes and choices of a language model of the LLaMA kind: LLaMA, Vicuna, Yi, Mistral, Qwen2.
package struct DecoderConfig: Sendable, Hashable {
    /// D
    package var width: Int
    /// F
    package var innerWidth: Int
    package var layers: Int
    /// H
    package var heads: Int
    /// G
    package var keyHeads: Int
    /// K
    package var headWidth: Int
    /// V: rows of the table, often more than the tokenizer has tokens.
    package var vocabulary: Int
    package var epsilon: Float
    package var rotaryBase: Double
    package var rotaryScaling = RotaryScaling.none
    /// Whether query, key and value have biases.
    package var hasAttentionBias: Bool
    /// Whether the attention's output has a bias too.
    package var hasOutputBias: Bool
    package var hasFeedForwardBias: Bool
    /// Whether the table is the projection to logits too.
    package var isTied: Bool
    /// The longest text it takes, in tokens.
    package var lengthMax: Int

    /// - Parameters:
    ///   - text: the part of `config.json` about the language model
    ///   - kind: its `model_type`; nil for what `text` says
    ///   - isTied: what the rest of the configuration says of tying; nil if nothing
    package init(_ text: ConfigReader, kind: String?, isTied: Bool?) throws(ModelError) {
        let named = try text.text("model_type", or: "llama")
        let kind = kind ?? named
        guard let defaults = DecoderDefaults.known[kind] else {
            throw text.bad(
                "model_type", text["model_type"],
                DecoderDefaults.known.keys.sorted().joined(separator: ", "))
        }
        width = try text.count("hidden_size", or: defaults.width)
        innerWidth = try text.count("intermediate_size", or: defaults.innerWidth)
        layers = try text.count("num_hidden_layers", or: defaults.layers, max: 4096)
        heads = try text.count("num_attention_heads", or: defaults.heads, max: 1 << 14)
        keyHeads = try text.count(
            "num_key_value_heads", or: defaults.keyHeads ?? heads, max: 1 << 14)
        headWidth = try text.count("head_dim", or: max(width / heads, 1), max: 1 << 14)
        vocabulary = try text.count("vocab_size", or: defaults.vocabulary)
        epsilon = Float(try text.number("rms_norm_eps", or: 1e-6))
        hasOutputBias = try text.flag("attention_bias", or: false)
        hasAttentionBias = kind == "qwen2" || hasOutputBias
        hasFeedForwardBias = try text.flag("mlp_bias", or: false)
        let isTiedWithin = try text.flag("tie_word_embeddings", or: false)
        self.isTied = isTied ?? isTiedWithin
        rotaryBase = 1e4
        lengthMax = try text.count("max_position_embeddings", or: defaults.lengthMax)
        try readRotary(text)
        if kind == "mistral" {
            // Within the window, attention over a window is attention over all.
            let window = try text.slidingWindow()
            lengthMax = min(lengthMax, window ?? lengthMax)
        }
        try check(text)
    }

    private mutating func readRotary(_ text: ConfigReader) throws(ModelError) {
        let parameters = text.object("rope_parameters")
        let scaling = parameters ?? text.object("rope_scaling")
        if let parameters, parameters["rope_theta"] != nil {
            rotaryBase = try parameters.number("rope_theta")
        } else {
            rotaryBase = try text.number("rope_theta", or: 1e4)
        }
        guard let scaling else { return }
        let kind = try scaling.text("rope_type", or: scaling.text("type", or: "default"))
        switch kind {
        case "default": break
        case "linear": rotaryScaling = .linear(factor: Float(try scaling.number("factor")))
        default:
            throw scaling.bad("rope_type", scaling["rope_type"], "default or linear")
        }
    }

    private func check(_ text: ConfigReader) throws(ModelError) {
        guard heads % keyHeads == 0 else {
            throw text.bad(
                "num_key_value_heads", text["num_key_value_heads"],
                "a divisor of \(heads) query heads")
        }
        guard (2...256).contains(headWidth), headWidth % 2 == 0 else {
            throw text.bad("head_dim", text["head_dim"], "an even number up to 256")
        }
        guard rotaryBase > 0, epsilon > 0 else {
            throw text.bad("rope_theta", text["rope_theta"], "a number above 0")
        }
        let activation = try text.text("hidden_act", or: "silu")
        guard activation == "silu" else {
            throw text.bad("hidden_act", text["hidden_act"], "silu")
        }
    }
}

extension ConfigReader {
    /// Mistral's window in tokens; nil where it is switched off. A missing field means 4096.
    fileprivate func slidingWindow() throws(ModelError) -> Int? {
        isNull("sliding_window") ? nil : try count("sliding_window", or: 4096)
    }
}

/// What fields mean that configurations leave out: the defaults of transformers' classes.
private struct DecoderDefaults {
    var width = 4096
    var innerWidth = 11008
    var layers = 32
    var heads = 32
    var keyHeads: Int?
    var vocabulary = 32000
    var lengthMax = 2048

    static let known = [
        "llama": DecoderDefaults(),
        "mistral": DecoderDefaults(innerWidth: 14336, keyHeads: 8, lengthMax: 4096 * 32),
        "qwen2": DecoderDefaults(innerWidth: 22016, vocabulary: 151_936, lengthMax: 32768),
    ]
}
