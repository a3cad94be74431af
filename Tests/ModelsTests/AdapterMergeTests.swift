import Foundation
import Layers
import Models
import Numerics
import TensorFiles
import Testing

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
