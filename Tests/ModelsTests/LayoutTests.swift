import Foundation
import GoldenModels
import Images
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// Every layout that LLaVA-NeXT's tensors are stored in gives the same names.
struct LayoutTests {
    private let name: @Sendable (String) -> String?

    init() throws {
        let json = Array(#"{"model_type": "llava_next"}"#.utf8)
        let config = ConfigReader(try JSONDocument(json).root, file: "config.json")
        name = try ModelFamily.of(config).name
    }

    @Test(arguments: [
        "language_model.model.layers.1.mlp.up_proj.weight",
        "model.language_model.layers.1.mlp.up_proj.weight",
        "model.language_model.model.layers.1.mlp.up_proj.weight",
        "model.layers.1.mlp.up_proj.weight",
    ])
    func layersOfTheLanguageModel(stored: String) {
        #expect(name(stored) == "model.language_model.layers.1.mlp.up_proj.weight")
    }

    @Test(arguments: ["language_model.lm_head.weight", "lm_head.weight", "model.lm_head.weight"])
    func theHead(stored: String) { #expect(name(stored) == "lm_head.weight") }

    @Test(arguments: [
        "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
        "vision_tower.encoder.layers.0.mlp.fc1.bias",
        "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
        "model.vision_tower.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
    ])
    func theTower(stored: String) {
        #expect(name(stored) == "model.vision_tower.encoder.layers.0.mlp.fc1.bias")
    }

    @Test(arguments: [
        ("multi_modal_projector.linear_2.weight", "model.multi_modal_projector.linear_2.weight"),
        ("model.mm_projector.2.weight", "model.multi_modal_projector.linear_2.weight"),
        ("model.mm_projector.0.bias", "model.multi_modal_projector.linear_1.bias"),
        ("image_newline", "model.image_newline"), ("model.image_newline", "model.image_newline"),
        ("model.norm.weight", "model.language_model.norm.weight"),
        ("model.embed_tokens.weight", "model.language_model.embed_tokens.weight"),
    ])
    func theRest(stored: String, expected: String) { #expect(name(stored) == expected) }

    @Test func tablesThatModelsMakeThemselvesAreLeftOut() {
        #expect(name("model.layers.0.self_attn.rotary_emb.inv_freq") == nil)
        #expect(name("vision_tower.vision_model.embeddings.position_ids") == nil)
    }

    /// LLaVA's own layout: fields at the root, a tower by name, no token for pictures.
    @Test func theOriginalLayoutRunsFromItsOwnConfiguration() throws {
        let golden = try #require(GoldenFamily.all(with: "tokenizer.model").first)
        let folder = try ModelFolder(copying: golden)
        for file in ["preprocessor_config.json", "processor_config.json", "chat_template.json"] {
            try folder.remove(file)
        }
        try folder.edit("config.json") { config in
            config = (config["text_config"] as? [String: Any] ?? [:]).merging([
                "model_type": "llava", "mm_vision_tower": "openai/clip-vit-large-patch14-336",
                "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
                "mm_projector_type": "mlp2x_gelu", "mm_patch_merge_type": "spatial_unpad",
                "image_aspect_ratio": "anyres", "num_hidden_layers": 1,
                "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672]],
            ]) { $1 }
        }
        try folder.edit("tokenizer.json") { file in
            let added = file["added_tokens"] as? [[String: Any]] ?? []
            file["added_tokens"] = added.filter { $0["content"] as? String != "<image>" }
        }
        try folder.remove("added_tokens.json")
        try folder.edit("tokenizer_config.json") { $0["added_tokens_decoder"] = nil }
        let model = try LoadedModel(
            folder: folder.path, weights: RandomSource(seed: 1, on: cpu),
            WeightPlan(type: .bfloat16))
        let image = RGBImage(width: 100, height: 60, filledWith: 200)
        let input = try model.inputs.input(
            [ChatMessage(.user, [.image, .text("What?")])], [image], forGeneration: true)
        #expect(input.imageRows.map(\.count) == input.images.map(\.tokenCount))
        #expect(Array(input.images[0].shape.extents.dropFirst()) == [3, 336, 336])
        let logits = model.model.logits([input], Pass())
        #expect(logits.floats().allSatisfy { $0.isFinite })
    }
}
