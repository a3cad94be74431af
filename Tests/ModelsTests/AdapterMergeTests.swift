import Foundation
import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// Models with adapters merged into their weights.
struct AdapterMergeTests {
    @Test(arguments: GoldenAdapter.all)
    func theMergedModelSaysWhatBaseAndAdapterSay(golden: GoldenAdapter) throws {
        let run = try AdapterRun(golden)
        let scratch = try ScratchFolder()
        var merge = AdapterMerge(run.adapter, in: run.model, base: golden.model.folder)
        merge.type = .float32
        try merge.write(to: scratch.path)
        let comparison = try merge.check(scratch.path, on: [run.input], tolerance: 1e-4)
        #expect(comparison.sameTokens == comparison.rows)
        #expect(comparison.rows == run.input.ids.count)
        let files = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
        #expect(Set(files).isSuperset(of: ["config.json", "tokenizer.json"]))
    }

    /// Tensors that the adapter does not touch keep their bytes, and all keep names and types.
    @Test func theRestStaysAsItIs() throws {
        let golden = try #require(GoldenAdapter.all.first)
        let run = try AdapterRun(golden)
        let scratch = try ScratchFolder()
        var merge = AdapterMerge(run.adapter, in: run.model, base: golden.model.folder)
        merge.shardBytesMax = 100_000
        try merge.write(to: scratch.path)
        let (base, merged) = try (
            Checkpoint(folder: golden.model.folder), Checkpoint(folder: scratch.path)
        )
        #expect(merged.files.count > 1)
        #expect(Set(merged.tensors.map(\.name)) == Set(base.tensors.map(\.name)))
        let touched = Set(run.adapter.sites.terms.map { $0.path + ".weight" })
        for tensor in base.tensors {
            let old = try base.tensor(named: tensor.name)
            let new = try merged.tensor(named: tensor.name)
            #expect(old.stored.type == new.stored.type && old.stored.shape == new.stored.shape)
            let isSame = old.withBytes { old in
                new.withBytes { new in old.elementsEqual(new) }
            }
            let name = run.model.family.name(tensor.name) ?? ""
            #expect(isSame != touched.contains(name), "\(tensor.name)")
        }
    }

    /// The weight that an adapter of a quantised model was trained on is the quantised one.
    @Test(arguments: NF4GoldenTests.all)
    func aQuantisedBaseIsMergedAsItWasSeen(golden: GoldenNF4) throws {
        let run = try golden.run().adapted
        let scratch = try ScratchFolder()
        var merge = AdapterMerge(run.adapter, in: run.model, base: golden.model.folder)
        merge.type = .float32
        try merge.write(to: scratch.path)
        let comparison = try merge.check(scratch.path, on: [run.input], tolerance: 1e-4)
        #expect(comparison.sameTokens == comparison.rows)
        // Merged into the weights before they were quantised, the model says something else.
        let plain = try golden.model.load(on: cpu)
        let wrong = AdapterMerge(run.adapter, in: plain, base: golden.model.folder)
        let other = try ScratchFolder()
        try wrong.write(to: other.path)
        #expect {
            try merge.check(other.path, on: [run.input], tolerance: 1e-4)
        } throws: { error in
            if case AdapterError.mergeDiffers(let seen, _) = error { seen > 0.01 } else { false }
        }
    }

    /// What a checkpoint keeps quantised becomes plain, and its configuration says so.
    @Test(arguments: GoldenFamily.quantised)
    func aQuantisedCheckpointBecomesPlain(golden: GoldenFamily) throws {
        let name = try #require(try golden.json("NOTE.json")["base"]?.string)
        let plain = GoldenFamily(folder: "\(GoldenFamily.root)/\(name)")
        let base = try ScratchFolder()
        for file in ["config.json", "model.safetensors"] {
            try base.copy("\(golden.folder)/\(file)")
        }
        for file in plain.folders("") where file.contains("token") || file.contains("process") {
            try base.copy("\(plain.folder)/\(file)")
        }
        if plain.has("chat_template.jinja") { try base.copy("\(plain.folder)/chat_template.jinja") }
        let model = try LoadedModel(folder: base.path, WeightPlan(type: .float32), on: cpu)
        let adapter = try Adapter(folder: "\(plain.folder)/golden/lora_lm/init", for: model)
        let merge = AdapterMerge(adapter, in: model, base: base.path)
        let merged = try ScratchFolder()
        try merge.write(to: merged.path)
        let input = try #require(try plain.cases().first).input(model)
        let comparison = try merge.check(merged.path, on: [input], tolerance: 1e-4)
        #expect(comparison.sameTokens == comparison.rows)
        let config = try merged.read("config.json")
        #expect(!config.contains("quantization_config") && config.contains("vision_config"))
        let tensors = try Checkpoint(folder: merged.path).tensors
        #expect(tensors.allSatisfy { $0.type == .float32 })
        #expect(
            Set(tensors.map(\.name)).count == model.parameters.count
                + model.linears.filter { $0.parameter == nil }.count)
    }

    @Test func aFolderWithACheckpointIsLeftAlone() throws {
        let golden = try #require(GoldenAdapter.all.first)
        let run = try AdapterRun(golden)
        let scratch = try ScratchFolder()
        try scratch.write("{}", as: "model.safetensors.index.json")
        let merge = AdapterMerge(run.adapter, in: run.model, base: golden.model.folder)
        #expect(throws: AdapterError.self) { try merge.write(to: scratch.path) }
        #expect(try scratch.read("model.safetensors.index.json") == "{}")
    }
}
