import Base
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing

/// Which modules adapters are about, and what is refused.
struct AdapterTests {
    private static let golden = GoldenFamily.all.first
    private let model: LoadedModel

    init() throws { model = try #require(Self.golden).load(on: cpu) }

    private func paths(_ targets: AdapterTargets, _ edit: (inout AdapterSpec) -> Void = { _ in })
        throws -> [String]
    {
        var spec = AdapterSpec(targets: targets)
        edit(&spec)
        return try AdapterSites(spec, in: model).terms.map(\.path)
    }

    @Test func namesMatchEndsOfPathsFromADot() throws {
        let found = try paths(.names(["q_proj", "up_proj"]))
        #expect(found.contains("model.language_model.layers.0.self_attn.q_proj"))
        #expect(found.contains("model.vision_tower.encoder.layers.0.self_attn.q_proj"))
        #expect(found.allSatisfy { $0.hasSuffix(".q_proj") || $0.hasSuffix(".up_proj") })
        let one = "model.language_model.layers.1.mlp.down_proj"
        #expect(try paths(.names([one])) == [one])
        #expect(throws: AdapterError.self) { try paths(.names(["proj"])) }
    }

    @Test func patternsMatchWholePaths() throws {
        let found = try paths(.pattern(".*projector\\.linear_[12]"))
        #expect(
            found == [
                "model.multi_modal_projector.linear_1", "model.multi_modal_projector.linear_2",
            ])
        #expect(throws: AdapterError.self) { try paths(.pattern("linear_1")) }
        #expect(throws: AdapterError.self) { try paths(.pattern("(")) }
    }

    /// As PEFT: all but the output head; a convolution is no linear layer.
    @Test func allLinearLeavesOutTheHead() throws {
        let found = Set(try paths(.allLinear))
        let others = model.linears.filter { !found.contains($0.path) }.map(\.path)
        #expect(
            Set(others) == ["lm_head", "model.vision_tower.embeddings.patch_embedding"])
    }

    @Test func exclusionsAndLayersChooseAmongTargets() throws {
        let language = try paths(.names(["q_proj"])) { $0.excluded = .pattern(".*vision.*") }
        #expect(language.count == model.model.decoder.layers.count)
        let last = try paths(.names(["q_proj"])) { $0.layers = AdapterLayers([1]) }
        #expect(!last.isEmpty && last.allSatisfy { $0.contains(".layers.1.") })
        let none = AdapterLayers([1], lists: ["blocks"])
        #expect(throws: AdapterError.self) { try paths(.names(["q_proj"])) { $0.layers = none } }
        let listed = try paths(.names(["q_proj"])) {
            $0.layers = AdapterLayers([1], lists: ["layers"])
        }
        #expect(listed == last)
    }

    @Test func rulesSetRankAndAlphaOfModules() throws {
        var spec = AdapterSpec(targets: .names(["q_proj", "k_proj"]))
        (spec.rank, spec.alpha) = (4, 8)
        spec.ranks = [AdapterRule("layers\\.0\\..*q_proj", 2), AdapterRule("q_proj", 3)]
        spec.alphas = [AdapterRule("k_proj", 16)]
        for term in try AdapterSites(spec, in: model).terms {
            if term.path.hasSuffix("k_proj") {
                #expect(term.rank == 4 && term.scale == 4)
            } else {
                #expect(term.rank == (term.path.contains("layers.0.") ? 2 : 3))
                #expect(term.scale == 8 / Float(term.rank))
            }
        }
        spec.isRankStabilised = true
        let term = try #require(
            try AdapterSites(spec, in: model).terms.first { $0.path.hasSuffix("k_proj") })
        #expect(term.scale == 8)
    }

    @Test func trainableElementsAreCounted() throws {
        var spec = AdapterSpec(targets: .pattern(".*language_model.*\\.q_proj"))
        spec.rank = 2
        let sites = try AdapterSites(spec, in: model)
        let linears = model.linears.filter {
            $0.path.contains("language_model") && $0.path.hasSuffix(".q_proj")
        }
        let count = linears.reduce(0) { $0 + 2 * ($1.width + $1.outWidth) }
        #expect(sites.trainableCount == count)
        #expect(sites.trainableShare == Double(count) / Double(model.parameterCount + count))
    }

    @Test func aNewAdapterChangesNothingAndItsSeedRepeats() throws {
        let spec = AdapterSpec(targets: .allLinear)
        let adapter = try Adapter(spec, starting: RandomKey(seed: 3), in: model)
        let again = try Adapter(spec, starting: RandomKey(seed: 3), in: model)
        let other = try Adapter(spec, starting: RandomKey(seed: 4), in: model)
        for (name, tensor) in adapter.parameters {
            let floats = tensor.floats()
            #expect(floats == again.parameters[name]?.floats())
            guard name.hasSuffix("lora_A.weight") else {
                #expect(floats.allSatisfy { $0 == 0 })
                continue
            }
            #expect(floats != other.parameters[name]?.floats())
            let bound = 1 / Float(tensor.shape.width).squareRoot()
            #expect(floats.allSatisfy { abs($0) <= bound } && floats.contains { $0 < 0 })
        }
        let input = try #require(try Self.golden?.cases().first).input(model)
        #expect(
            model.model.logits([input], Pass()).floats()
                == model.model.logits([input], Pass().with(adapter.bound)).floats())
    }

    @Test(arguments: [0, -1, AdapterSpec.rankMax + 1])
    func aRankOutOfRangeIsRefused(rank: Int) {
        #expect(throws: AdapterError.self) { try paths(.allLinear) { $0.rank = rank } }
    }

    /// A module that is held as a whole is trained, and gets no term.
    @Test func wholeModulesAreTrainedAsTheyAre() throws {
        var spec = AdapterSpec(targets: .allLinear)
        spec.wholeModules = ["multi_modal_projector"]
        #expect(throws: AdapterError.self) {
            try Adapter(spec, starting: RandomKey(seed: 1), in: model)
        }
        let trainable = try #require(Self.golden).load(trainable: true, on: cpu)
        let adapter = try Adapter(spec, starting: RandomKey(seed: 1), in: trainable)
        #expect(adapter.sites.wholes.count == 4)
        #expect(!adapter.sites.terms.contains { $0.path.contains("projector") })
        let input = try #require(try Self.golden?.cases().first).input(trainable)
        let tracked = adapter.parameters.tracked()
        let loss = trained(trainable, adapter, tracked, input)
        let gradients = loss.gradients().named(by: tracked)
        for whole in adapter.sites.wholes { #expect(gradients[whole.name] != nil) }
    }

    /// Rows of bfloat16 meet the adapter's float32.
    @Test func everyKindOfPartWorksInBfloat16() throws {
        let golden = try #require(Self.golden)
        let plan = WeightPlan(type: .bfloat16, isTrainable: { _ in true })
        let half = try LoadedModel(folder: golden.folder, plan, on: cpu)
        var spec = AdapterSpec(targets: .names(["q_proj", "fc1"]))
        spec.wholeModules = ["norm", "embed_tokens", "lm_head", "multi_modal_projector"]
        let adapter = try Adapter(spec, starting: RandomKey(seed: 1), in: half)
        let input = try #require(try golden.cases().first).input(half)
        let tracked = adapter.parameters.tracked()
        let loss = trained(half, adapter, tracked, input)
        let without = half.model.loss([input], Pass()).sum.floats()
        #expect(loss.floats() == without)
        for (name, gradient) in loss.gradients().named(by: tracked) {
            #expect(gradient.type == .float32, "\(name)")
            #expect(gradient.floats().allSatisfy { $0.isFinite }, "\(name)")
        }
    }

    private func trained(
        _ model: LoadedModel, _ adapter: Adapter, _ parameters: NamedTensors,
        _ input: ModelInput
    ) -> Tensor {
        model.model.loss([input], Pass().with(adapter.sites.bound(parameters))).sum
    }
}
