import GoldenModels
import Layers
import Models
import Numerics
import TensorFiles
import Testing
import Text

/// Every model of the reference set: tokens, pixels, features, hidden rows, logits and loss.
struct ForwardGoldenTests {
    @Test func thereAreGoldens() {
        #expect(!GoldenFamily.all.isEmpty, "no models in \(GoldenFamily.root)")
    }

    @Test(arguments: GoldenFamily.all)
    func conversationsBecomeTheSameInputs(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            let input = try one.input(model)
            #expect(input.ids == one.node["input_ids"]?.elements.compactMap { $0.int32 })
            #expect(input.shiftedBack == one.node["labels"]?.elements.compactMap { $0.int32 })
            guard one.tensors.has("features_per_image") else { continue }
            let counts = try one.tensors.integers("features_per_image")
            #expect(input.images.map(\.tokenCount) == counts, "\(one.name)")
            guard let pixels = try one.tensors.floats("in.pixel_values") else { continue }
            let ours = try input.padded(like: one.tensors.shape("in.pixel_values"))
            #expect(largestDifference(ours, pixels) <= 1e-6, "\(one.name)")
        }
    }

    @Test(arguments: GoldenFamily.all)
    func picturesBecomeTheSameFeatures(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            guard let expected = try one.tensors.floats("image_features") else { continue }
            let features = model.model.imageFeatures(try one.input(model).images, Pass())
            let distance = largestDifference(features.floats(), expected)
            #expect(distance <= 1e-4, "\(one.name): \(distance)")
        }
    }

    @Test(arguments: GoldenFamily.all)
    func hiddenRowsAreTheSame(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            guard let expected = try one.tensors.floats("lm_hidden_states") else { continue }
            var rows: [Float] = []
            let last = model.model.hidden([try one.input(model)], Pass()) {
                rows += $0.floats()
            }
            let distance = largestDifference(rows + last.floats(), expected)
            #expect(distance <= 1e-4, "\(one.name): \(distance)")
        }
    }

    @Test(arguments: GoldenFamily.all)
    func logitsAndLossAreTheSame(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            let input = try one.input(model)
            let logits = model.model.logits([input], Pass())
            let distance = try one.distance(ofLogits: logits)
            #expect(distance <= 1e-4, "\(one.name): \(distance)")
            let loss = model.model.loss([input], Pass())
            let mean = Double(loss.sum.floats()[0]) / Double(loss.tokens)
            let expected = try #require(one.node["loss"]?.double)
            #expect(abs(mean - expected) <= 1e-5, "\(one.name): \(mean), not \(expected)")
        }
    }

    /// Together the conversations give what they give alone, and the mean over all their tokens.
    @Test(arguments: GoldenFamily.all)
    func conversationsOfABatchDoNotTouch(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let inputs = try golden.cases().map { try $0.input(model) }
        let together = model.model.logits(inputs, Pass()).floats()
        let alone = inputs.flatMap { model.model.logits([$0], Pass()).floats() }
        #expect(together == alone)
        let expected = try golden.json("golden/cases.json")["batch_loss_token_mean_cases_0_1"]
        guard let expected = expected?.double else { return }
        let loss = model.model.loss(Array(inputs.prefix(2)), Pass())
        let mean = Double(loss.sum.floats()[0]) / Double(loss.tokens)
        #expect(abs(mean - expected) <= 1e-5, "\(mean), not \(expected)")
    }
}

extension GoldenCase {
    /// How far logits are from those of the reference, all or the last 16 rows, and from what it
    /// says about every row.
    func distance(ofLogits logits: Tensor) throws -> Float {
        let (rows, width) = (logits.shape[0], logits.shape[1])
        let floats = logits.floats()
        var distance: Float = 0
        if let all = try tensors.floats("logits") {
            distance = largestDifference(floats, all)
        } else if let last = try tensors.floats("logits_last16") {
            distance = largestDifference(Array(floats.suffix(16 * width)), last)
        }
        if let maxima = try tensors.floats("logits_max") {
            let ours = (0..<rows).map { row in
                floats[row * width..<(row + 1) * width].max() ?? .nan
            }
            distance = max(distance, largestDifference(ours, maxima))
        }
        return distance
    }
}

extension ModelInput {
    /// The labels as files have them: at their own tokens, not at the rows that predict them.
    fileprivate var shiftedBack: [Int32] {
        zip(ids, isTrained).map { $1 ? $0 : Labels.ignored }
    }

    /// Pixels of all pictures, those with fewer tiles filled up with zeros as files have them.
    fileprivate func padded(like shape: [Int]) throws -> [Float] {
        guard shape.count == 5 else { return images.flatMap(\.pixels) }
        let size = shape[1...].reduce(1, *)
        return images.flatMap { image in
            image.pixels + Array(repeating: 0, count: size - image.pixels.count)
        }
    }
}
