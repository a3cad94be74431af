import Base
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// Adapters in folders as PEFT has them.
struct AdapterFolderTests {
    private let golden: GoldenAdapter
    private let run: AdapterRun

    init() throws {
        golden = try #require(GoldenAdapter.all.first)
        run = try AdapterRun(golden)
    }

    private var folder: String { "\(golden.model.folder)/\(golden.name)/init" }

    private func logits(_ adapter: Adapter) -> [Float] {
        run.model.model.logits([run.input], Pass().with(adapter.bound)).floats()
    }

    /// Writes the golden adapter with other names for its tensors.
    private func renamed(
        _ rename: (String) -> String?, config: (String) -> String = { $0 }
    ) throws -> ScratchFolder {
        let scratch = try ScratchFolder()
        let bytes = try SmallFile.read("\(folder)/adapter_config.json").get()
        try scratch.write(config(String(decoding: bytes, as: UTF8.self)), as: "adapter_config.json")
        let tensors = run.adapter.parameters.compactMap { name, tensor in
            rename(name).map { ($0, tensor) }
        }
        let layout = try TensorFileLayout(
            tensors.map { PlannedTensor($0.0, .float32, $0.1.shape.extents) })
        let values = Dictionary(uniqueKeysWithValues: tensors)
        let writer = try TensorFileWriter(
            layout, at: "\(scratch.path)/adapter_model.safetensors")
        for tensor in layout.tensors {
            let bytes = try #require(values[tensor.name]).bytes()
            try bytes.withUnsafeBytes { try writer.append($0, to: tensor.name) }
        }
        try writer.finish()
        return scratch
    }

    @Test func whatIsWrittenReadsBack() throws {
        let scratch = try ScratchFolder()
        var adapter = run.adapter
        adapter.provenance = Bytes("{\"seed\": 7}")
        try adapter.write(to: scratch.path, metadata: ["fovea.seed": "7"])
        let again = try Adapter(folder: scratch.path, for: run.model)
        #expect(again.spec == adapter.spec)
        #expect(again.provenance == adapter.provenance)
        #expect(again.parameters.names == adapter.parameters.names)
        #expect(logits(again) == logits(adapter))
        let file = try TensorFile(path: "\(scratch.path)/adapter_model.safetensors")
        #expect(file.metadata == ["format": "pt", "fovea.seed": "7"])
    }

    @Test func everyFieldReadsBack() throws {
        var spec = AdapterSpec(targets: .names(["q_proj", "k_proj"]))
        (spec.rank, spec.alpha, spec.dropout) = (3, 4.5, 0.05)
        spec.excluded = .pattern(".*\"vision\".*|.*tower.*")
        spec.layers = AdapterLayers([1], lists: ["layers"])
        spec.ranks = [AdapterRule("layers.1.*q_proj", 2), AdapterRule("k_proj", 5)]
        spec.alphas = [AdapterRule("q_proj", 7.25)]
        (spec.isRankStabilised, spec.baseName) = (true, "maker/model")
        spec.wholeModules = ["embed_tokens"]
        let adapter = try Adapter(spec, starting: RandomKey(seed: 2), in: run.model)
        let scratch = try ScratchFolder()
        try adapter.write(to: scratch.path)
        let again = try Adapter(folder: scratch.path, for: run.model)
        #expect(again.spec == spec)
        #expect(again.parameters.names == adapter.parameters.names)
        #expect(logits(again) == logits(adapter))
    }

    /// What libraries called the same tensors over the years.
    @Test(arguments: [
        ("base_model.model.model.language_model.", "base_model.model.language_model.model."),
        (".lora_A.weight", ".lora_A.default.weight"), ("base_model.model.", ""),
        ("base_model.model.model.language_model.", "base_model.model.model.language_model.model."),
    ])
    func olderNamesAreUnderstood(new: String, old: String) throws {
        let scratch = try renamed { name in
            let parts = name.split(separator: new, maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? parts.joined(separator: old) : name
        }
        let adapter = try Adapter(folder: scratch.path, for: run.model)
        #expect(logits(adapter) == logits(run.adapter))
    }

    @Test func aTensorThatBindsNowhereIsNamed() throws {
        let name = try #require(run.adapter.parameters.names.first)
        let scratch = try renamed { $0 == name ? "base_model.model.model.other.lora_A.weight" : $0 }
        #expect {
            try Adapter(folder: scratch.path, for: run.model)
        } throws: { error in
            guard case AdapterError.unbound(let tensors, let count) = error else { return false }
            return tensors == ["base_model.model.model.other.lora_A.weight"]
                && count == run.adapter.parameters.count
        }
    }

    @Test func aTensorThatIsMissingIsNamed() throws {
        let name = try #require(run.adapter.parameters.names.last)
        let scratch = try renamed { $0 == name ? nil : $0 }
        #expect {
            try Adapter(folder: scratch.path, for: run.model)
        } throws: { error in
            guard case AdapterError.missing(let tensors) = error else { return false }
            return tensors == [name]
        }
        let whole = try renamed { $0.contains("layers.0.self_attn.q_proj") ? nil : $0 }
        #expect(throws: AdapterError.self) { try Adapter(folder: whole.path, for: run.model) }
    }

    @Test func twoTensorsForOnePlaceAreRefused() throws {
        let name = try #require(run.adapter.parameters.names.first)
        let other = try #require(run.adapter.parameters.names.last)
        let old = name.split(separator: ".lora_A").joined(separator: ".lora_A.default")
        let scratch = try renamed { $0 == other ? old : $0 }
        #expect {
            try Adapter(folder: scratch.path, for: run.model)
        } throws: { error in
            if case AdapterError.twice = error { true } else { false }
        }
    }

    @Test(arguments: GoldenFamily.all)
    func anAdapterOfAnotherModelIsRefused(other: GoldenFamily) throws {
        guard other.folder != golden.model.folder else { return }
        let model = try other.load(on: cpu)
        #expect(throws: AdapterError.self) { try Adapter(folder: folder, for: model) }
    }

    @Test(arguments: [
        ("\"use_dora\": false", "\"use_dora\": true"), ("\"bias\": \"none\"", "\"bias\": \"all\""),
        ("\"lora_bias\": false", "\"lora_bias\": true"),
        ("\"layer_replication\": null", "\"layer_replication\": [[0, 1]]"),
        ("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\""),
        ("\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\""),
        ("\"bias\": \"none\"", "\"bias\": \"none\", \"future_feature\": 3"),
        ("\"r\": 8", "\"r\": 1000000000000"), ("\"r\": 8", "\"r\": \"8\""),
        ("\"lora_alpha\": 16", "\"lora_alpha\": 0"), ("\"r\": 8", "\"r\": 7"),
        ("\"target_modules\":", "\"targets\":"), ("{", "["),
    ])
    func whatMeansSomethingElseIsRefused(field: String, changed: String) throws {
        let scratch = try renamed({ $0 }) { text in
            let parts = text.split(
                separator: field, maxSplits: 1, omittingEmptySubsequences: false)
            return parts.joined(separator: changed)
        }
        #expect(try scratch.read("adapter_config.json").contains(changed))
        #expect {
            try Adapter(folder: scratch.path, for: run.model)
        } throws: { error in
            guard let failure = error as? AdapterError else { return false }
            return !failure.message.isEmpty && !failure.message.contains(scratch.path)
        }
    }

    @Test func anEmptyFolderIsNoAdapter() throws {
        let scratch = try ScratchFolder()
        #expect(throws: AdapterError.self) { try Adapter(folder: scratch.path, for: run.model) }
    }
}
