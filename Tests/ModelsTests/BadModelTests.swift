import Base
import Foundation
import GoldenModels
import Images
import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Folders and inputs that are wrong: each a typed error that says what, and nothing traps.
struct BadModelTests {
    private let golden: GoldenFamily
    private let sharded: GoldenFamily
    private let plan = WeightPlan(type: .float32)

    init() throws {
        golden = try #require(GoldenFamily.all(with: "model.safetensors").first)
        sharded = try #require(GoldenFamily.all(with: "model.safetensors.index.json").first)
    }

    private func failure(_ folder: ModelFolder) -> (any Failure)? {
        do {
            _ = try LoadedModel(folder: folder.path, plan, on: cpu)
            return nil
        } catch {
            return error
        }
    }

    @Test func aMissingShardIsNamed() throws {
        let folder = try ModelFolder(copying: sharded)
        try folder.remove("model-00002-of-00003.safetensors")
        let error = failure(folder)
        #expect(error?.message.contains("model-00002-of-00003.safetensors") == true)
        #expect(error?.kind == .notFound)
    }

    @Test func aShapeThatTheConfigurationDoesNotAskForIsNamedWithBoth() throws {
        let folder = try ModelFolder(copying: golden)
        try folder.edit("config.json") { config in
            var text = config["text_config"] as? [String: Any] ?? [:]
            text["intermediate_size"] = 96
            config["text_config"] = text
        }
        let error = failure(folder)
        #expect(error?.reason == "TENSOR_MISMATCH")
        #expect(error?.message.contains("gate_proj") == true)
        #expect(error?.message.contains("96") == true)
    }

    @Test func aLayerTooManyInTheFileIsNamed() throws {
        let folder = try ModelFolder(copying: golden)
        try folder.edit("config.json") { config in
            var text = config["text_config"] as? [String: Any] ?? [:]
            text["num_hidden_layers"] = 1
            config["text_config"] = text
        }
        let error = failure(folder)
        #expect(error?.reason == "TENSORS_UNBOUND")
        #expect(error?.message.contains("layers.1.") == true)
    }

    @Test(arguments: [
        ("model_type", "mamba"), ("vision_feature_layer", "9"),
        ("vision_feature_select_strategy", "full"), ("projector_hidden_act", "tanh"),
        ("image_grid_pinpoints", "[[0, 1]]"), ("text_config", "{}"),
        ("vision_config", #"{"image_size": 56, "patch_size": 0}"#),
        ("vision_config", #"{"image_size": 55, "patch_size": 14}"#),
        ("text_config", #"{"num_attention_heads": 3, "num_key_value_heads": 2}"#),
        ("text_config", #"{"hidden_size": -1}"#), ("text_config", #"{"hidden_size": 1e99}"#),
        ("text_config", #"{"rope_scaling": {"type": "yarn", "factor": 2}}"#),
    ])
    func configurationsThatMakeNoSenseAreRefused(field: String, json: String) throws {
        let folder = try ModelFolder(copying: golden)
        try folder.edit("config.json") { config in
            config[field] = (try? ModelFolder.value(json)) ?? json
        }
        #expect(failure(folder) != nil)
    }

    @Test func filesThatAreNotThereAreNamed() throws {
        for name in ["config.json", "model.safetensors"] {
            let folder = try ModelFolder(copying: golden)
            try folder.remove(name)
            #expect(failure(folder)?.message.contains(name) == true)
        }
    }

    // MARK: Inputs

    @Test func imagesAndPlacesMustAgree() throws {
        let model = try golden.load(on: cpu)
        let image = RGBImage(width: 20, height: 20, filledWith: 9)
        let messages = [ChatMessage(.user, [.image, .text("What?")])]
        for pictures in [[], [image, image]] {
            #expect(throws: ModelError.self) { try model.inputs.input(messages, pictures) }
        }
    }

    @Test func aTemplateWithoutAPlaceForImagesIsRefusedWhereThereAreSome() throws {
        let folder = try ModelFolder(copying: golden)
        try folder.edit("chat_template.json") { $0["chat_template"] = "{{ messages | length }}" }
        let model = try LoadedModel(folder: folder.path, plan, on: cpu)
        let image = RGBImage(width: 20, height: 20, filledWith: 9)
        let messages = [ChatMessage(.user, [.image, .text("What?")])]
        #expect(throws: ModelError.self) { try model.inputs.input(messages, [image]) }
    }

    @Test func aConversationThatIsTooLongSaysHowMuchOfItIsImages() throws {
        let model = try golden.load(on: cpu)
        let tokensMax = model.model.decoder.config.lengthMax
        let messages = [
            ChatMessage(
                .user, [.image, .text(String(repeating: "word ", count: tokensMax))])
        ]
        do {
            _ = try model.inputs.input(messages, [RGBImage(width: 30, height: 9, filledWith: 0)])
            Issue.record("accepted")
        } catch {
            guard case .tooLong(let tokens, let imageTokens, tokensMax) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(tokens > tokensMax && imageTokens > 0)
        }
    }
}

extension ModelFolder {
    /// A JSON value.
    static func value(_ json: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    }
}
