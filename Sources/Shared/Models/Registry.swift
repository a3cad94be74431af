package import Layers

/// Everything that is particular to a family of models: a value for each, listed in one place.
package struct ModelFamily: Sendable {
    /// What `model_type` in `config.json` may be.
    package let types: [String]
    /// What a stored tensor is called in transformers' memory; nil for those that no model needs.
    package let name: @Sendable (String) -> String?
    /// Builds the model that a configuration describes.
    package let model:
        @Sendable (ConfigReader, ModelWeights) throws(ModelError) -> any VisionLanguageModel
    /// The preparation of pictures that goes with it, from `config.json` and the settings of the
    /// image processor.
    package let images:
        @Sendable (ConfigReader, ConfigReader?) throws(ModelError) -> any ImagePreparation

    /// Every family. A new one is a line here.
    package static let all: [ModelFamily] = [.llavaNeXT]

    /// The family of a configuration.
    package static func of(_ config: ConfigReader) throws(ModelError) -> ModelFamily {
        let type = try config.text("model_type")
        guard let family = all.first(where: { $0.types.contains(type) }) else {
            throw .unknownArchitecture(seen: type, known: all.flatMap(\.types).sorted())
        }
        return family
    }
}

extension ModelFamily {
    static let llavaNeXT = ModelFamily(
        types: ["llava_next", "llava", "llava_llama", "llava_mistral", "llava_qwen"],
        name: { LLaVANeXTNames.name($0) },
        model: { (config, weights) throws(ModelError) in
            try LLaVANeXT(try LLaVANeXTConfig(config), from: weights)
        },
        images: { (config, settings) throws(ModelError) in
            try LLaVANeXTImages(try LLaVANeXTConfig(config), settings)
        })
}
