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

    package init(_ config: ConfigReader) throws(ModelError) {
        let isTied =
            config["tie_word_embeddings"] == nil
            ? nil : try config.flag("tie_word_embeddings", or: false)
        text = try DecoderConfig(try config.required("text_config"), isTied: isTied)
        vision = try CLIPVisionConfig(try config.required("vision_config"))
        pinpoints = try config.sizes("image_grid_pinpoints") ?? Self.defaultPinpoints
        activation = try config.activation("projector_hidden_act", or: "gelu")
        hasProjectorBias = try config.flag("multimodal_projector_bias", or: true)
        let layer = try config.integer("vision_feature_layer", or: -2)
        visionLayers = layer < 0 ? vision.layers + 1 + layer : layer
        guard (0...vision.layers).contains(visionLayers) else {
            throw config.bad(
                "vision_feature_layer", config["vision_feature_layer"],
                "a layer of \(vision.layers), or below 0 from the end")
        }
        let strategy = try config.text("vision_feature_select_strategy", or: "default")
        guard strategy == "default" else {
            throw config.bad(
                "vision_feature_select_strategy", config["vision_feature_select_strategy"],
                "default")
        }
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
    /// A list of heights and widths.
    func sizes(_ name: String) throws(ModelError) -> [ImageSize]? {
        guard let list = self[name] else { return nil }
        var sizes: [ImageSize] = []
        for pair in list.elements {
            let numbers = pair.elements.compactMap(\.int)
            guard numbers.count == 2, pair.count == 2, numbers.allSatisfy({ $0 > 0 }) else {
                throw bad(name, pair, "pairs of height and width")
            }
            sizes.append(ImageSize(height: numbers[0], width: numbers[1]))
        }
        return sizes
    }
}
