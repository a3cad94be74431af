import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Checkpoints whose linear layers are stored quantised.
struct QuantisedGoldenTests {
    /// Folders that say whose conversations and logits they go with.
    static let all = GoldenFamily.quantised

    @Test(arguments: all)
    func logitsAreThoseOfTheQuantisedModel(golden: GoldenFamily) throws {
        let note = try golden.json("NOTE.json")
        let base = GoldenFamily(
            folder: "\(GoldenFamily.root)/\(try #require(note["base"]?.string))")
        let weights = try golden.weights(on: cpu)
        let model = try LoadedModel(
            folder: base.folder, weights: weights, WeightPlan(type: .float32))
        let one = try #require(try base.cases().first)
        let logits = model.model.logits([try one.input(model)], Pass())
        let expected = try #require(
            try base.tensors("golden/nf4/nf4.safetensors").floats("logits_last16.dq"))
        let last = Array(logits.floats().suffix(expected.count))
        let distance = largestDifference(last, expected)
        #expect(distance <= 1e-4, "\(distance)")
    }
}
