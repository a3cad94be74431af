package import Images
package import Numerics
import Text

/// What `config.json` of LLaVA-NeXT says.
package struct LLaVANeXTConfig: Sendable, Hashable {
    package var text: DecoderConfig
    package var vision: CLIPVisionConfig
    package var pinpoints: [ImageSize]
    package var activation: Activation
    package var hasProjectorBias: Bool
    /// How many layers of the tower run.
    package var visionLayers: Int
    /// Whether it is the layout of LLaVA's own code, whose pictures Pillow resized.
    package var isOriginal: Bool

    /// - Parameter config: all of `config.json`, in the layout of the hub or of LLaVA's own code
    package init(_ config: ConfigReader) throws(ModelError) {
        isOriginal = config["mm_vision_tower"] != nil
        if isOriginal {
            text = try DecoderConfig(
                config, kind: try Self.language(of: config), isTied: nil)
            vision = try Self.tower(of: config)
        } else {
            try Self.requireNeXT(config)
            text = try DecoderConfig(
                try config.required("text_config"), kind: nil, isTied: try config.tie())
            vision = try CLIPVisionConfig(try config.required("vision_config"))
        }
        // LLaVA's own code has the width first.
        let sizes = try config.sizes("image_grid_pinpoints", widthFirst: isOriginal)
        pinpoints = sizes ?? Self.defaultPinpoints
        activation = try config.activation("projector_hidden_act", or: "gelu")
        hasProjectorBias = try config.flag("multimodal_projector_bias", or: true)
        visionLayers = try Self.layers(config, isOriginal: isOriginal, of: vision.layers)
        try checkSelection(config)
    }

    /// LLaVA 1.5 shares a name with LLaVA's own files, and has no tiles.
    private static func requireNeXT(_ config: ConfigReader) throws(ModelError) {
        let type = try config.text("model_type")
        guard type == "llava_next" else {
            throw .unknownArchitecture(seen: type, known: ["llava_next"])
        }
    }

    private static func layers(
        _ config: ConfigReader, isOriginal: Bool, of count: Int
    ) throws(ModelError) -> Int {
        let name = isOriginal ? "mm_vision_select_layer" : "vision_feature_layer"
        let layer = try config.integer(name, or: -2)
        let layers = layer < 0 ? count + 1 + layer : layer
        guard (0...count).contains(layers) else {
            throw config.bad(
                name, config[name], "a layer of \(count), or below 0 from the end")
        }
        return layers
    }

    /// What of the tower's rows is used, and how pictures and rows are put together.
    private func checkSelection(_ config: ConfigReader) throws(ModelError) {
        var allowed = ["vision_feature_select_strategy": "default"]
        if isOriginal {
            allowed = [
                "mm_vision_select_feature": "patch", "mm_projector_type": "mlp2x_gelu",
                "mm_patch_merge_type": "spatial_unpad", "image_aspect_ratio": "anyres",
            ]
        }
        for (name, value) in allowed.sorted(by: { $0.key < $1.key })
        where try config.text(name, or: value) != value {
            throw config.bad(name, config[name], value)
        }
    }

    private static func language(of config: ConfigReader) throws(ModelError) -> String {
        switch try config.text("model_type") {
        case "llava_mistral": "mistral"
        case "llava_qwen": "qwen2"
        default: "llama"
        }
    }

    /// LLaVA's own files name the tower and leave its sizes to its own files.
    private static func tower(of config: ConfigReader) throws(ModelError) -> CLIPVisionConfig {
        let name = try config.text("mm_vision_tower")
        guard name.hasSuffix("clip-vit-large-patch14-336") else {
            throw config.bad(
                "mm_vision_tower", config["mm_vision_tower"], "clip-vit-large-patch14-336")
        }
        return .large336
    }

    private static let defaultPinpoints = [
        ImageSize(height: 336, width: 672), ImageSize(height: 672, width: 336),
        ImageSize(height: 672, width: 672), ImageSize(height: 1008, width: 336),
        ImageSize(height: 336, width: 1008),
    ]

    /// How pictures become tiles and tokens.
    func tiling() throws(ModelError) -> LLaVANeXTTiling {
        do {
            return try LLaVANeXTTiling(
                tile: vision.tile, patch: vision.patch, pinpoints: pinpoints)
        } catch {
            throw .preprocessing(error)
        }
    }
}

extension ConfigReader {
    /// What the outermost configuration says of tying.
    fileprivate func tie() throws(ModelError) -> Bool? {
        let name = "tie_word_embeddings"
        return self[name] == nil ? nil : try flag(name, or: false)
    }

    /// A list of heights and widths, or of widths and heights.
    func sizes(_ name: String, widthFirst: Bool = false) throws(ModelError) -> [ImageSize]? {
        guard let list = self[name] else { return nil }
        var sizes: [ImageSize] = []
        for pair in list.elements {
            let numbers = pair.elements.compactMap(\.int)
            guard numbers.count == 2, pair.count == 2, numbers.allSatisfy({ $0 > 0 }) else {
                throw bad(name, pair, "pairs of height and width")
            }
            let (first, second) = (numbers[0], numbers[1])
            sizes.append(
                widthFirst
                    ? ImageSize(height: second, width: first)
                    : ImageSize(height: first, width: second))
        }
        return sizes
    }
}
