import Base
import Foundation
import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

@testable import Training

/// What a run needs, before and after it.
struct MemoryTests {
    struct Setting: CustomTestStringConvertible, Sendable {
        let method: TuningMethod
        let precision: TrainingPrecision
        var recomputes = false
        var dropout: Float = 0.05

        var testDescription: String {
            "\(method.rawValue) \(precision.rawValue)\(recomputes ? " recomputed" : "")"
                + (dropout > 0 ? "" : " without dropout")
        }

        static let all: [Setting] = [
            Setting(method: .lora, precision: .bfloat16),
            Setting(method: .lora, precision: .bfloat16, dropout: 0),
            Setting(method: .lora, precision: .bfloat16, recomputes: true),
            Setting(method: .lora, precision: .float32),
            Setting(method: .qlora, precision: .bfloat16),
            Setting(method: .qlora, precision: .float32),
            Setting(method: .full, precision: .bfloat16),
            Setting(method: .full, precision: .float32),
        ]

        var recipe: TrainingRecipe {
            var recipe = TrainingRecipe()
            recipe.method = method
            recipe.batch.precision = precision
            recipe.batch.recomputes = recomputes
            recipe.adapter.dropout = dropout
            return recipe.resolved()
        }
    }

    @Test(arguments: Setting.all)
    func weightsAndMomentsAreCountedExactly(setting: Setting) throws {
        let recipe = setting.recipe
        let model = try LoadedModel(folder: TinyModel.golden.folder, recipe.weightPlan, on: cpu)
        let estimate = MemoryEstimate(
            ModelOutline(model), recipe, batch: BatchShape(tokens: 9, trainedTokens: 3, pixels: 0))
        func bytes(_ use: MemoryUse) -> Int {
            estimate.shares.first { $0.use == use }?.bytes ?? 0
        }
        let weights = try TrainedWeights(startOf: recipe, in: model)
        let trained = weights.values.reduce(0) { $0 + $1.tensor.byteCount }
        #expect(estimate.trainedCount == weights.values.reduce(0) { $0 + $1.tensor.shape.count })
        // Biases stay float32 in a model of bfloat16.
        #expect(abs(bytes(.trainedWeights) - trained) * 50 <= trained)
        let state = recipe.adamW.start(weights.values).byteCount
        #expect(abs(bytes(.optimiser) - state) * 50 <= state)
        let frozen = model.linears.reduce(0) { sum, linear in
            if case .frozen(let weight) = linear.weight { sum + weight.byteCount } else { sum }
        }
        // What learns as a whole stays in the model as it was, too.
        let others = model.parameters.reduce(0) { $0 + ($1.value?.byteCount ?? 0) }
        #expect(abs(bytes(.frozenWeights) - frozen - others) * 50 <= frozen + others)
    }

    @Test func moreRowsNeedMoreAndRecomputingNeedsLess() {
        let outline = ModelOutline(TinyModel.loaded)
        func activations(_ tokens: Int, _ change: (inout TrainingRecipe) -> Void = { _ in }) -> Int
        {
            var recipe = TrainingRecipe()
            change(&recipe)
            let batch = BatchShape(tokens: tokens, trainedTokens: 8, pixels: 0)
            return MemoryEstimate(outline, recipe, batch: batch).deviceBytes
        }
        #expect(activations(2000) > activations(1000))
        #expect(activations(2000) > activations(2000) { $0.batch.recomputes = true })
        #expect(activations(2000) > activations(2000) { $0.adapter.dropout = 0 })
        #expect(activations(2000) < activations(2000) { $0.batch.precision = .float32 })
    }

    @Test func theLargestMicroBatchThatFitsIsFound() {
        let outline = ModelOutline(TinyModel.loaded)
        let recipe = TrainingRecipe().resolved()
        let row = BatchShape(tokens: 500, trainedTokens: 20, pixels: 60_000)
        func needed(_ tokens: Int) -> Int {
            let batch = BatchShape(
                tokens: tokens, trainedTokens: tokens / 25, pixels: tokens * 120)
            return MemoryEstimate(outline, recipe, batch: batch, microBatches: 8).deviceBytes
        }
        func found(_ bytes: Int) -> Int {
            MemoryEstimate.tokensMax(fitting: bytes, outline, recipe, longest: row)
        }
        #expect(found(needed(500) - 1) == 0)
        #expect(found(needed(500)) >= 500 && found(needed(500)) < 550)
        let middle = found(needed(2000))
        #expect(needed(middle) <= needed(2000) && middle >= 2000 && middle < 2100)
        // No more rows are in a step.
        #expect(found(.max) == 4000)
    }

    /// Estimates beside peaks, for `docs/training.md`: only if FOVEA_ESTIMATE_MODEL names a model's
    /// folder with a picture.
    @Test(
        .enabled(if: Measured.folder != nil), arguments: Measured.settings)
    func estimatesAreNearMeasuredPeaks(setting: Setting) throws {
        let folder = try #require(Measured.folder)
        let found = try Measured(setting.recipe, folder: folder)
        let estimate = found.estimate.deviceBytes
        let ratio = Double(estimate) / Double(found.peakBytes)
        print(
            "\(setting.testDescription): estimated \(estimate >> 20) MiB, "
                + "measured \(found.peakBytes >> 20) MiB, ratio \(ratio), "
                + "process \(ProcessMemory.peakBytes >> 20) of \(found.estimate.hostBytes >> 20)")
        for share in found.estimate.shares {
            print("    \(share.use.rawValue) \(share.bytes >> 20) MiB: \(share.formula)")
        }
        #expect((0.9...1.1).contains(ratio))
    }
}

/// A step on a device of its own.
private struct Measured {
    static let folder = ProcessInfo.processInfo.environment["FOVEA_ESTIMATE_MODEL"]

    /// All, or those of one method.
    static let settings = MemoryTests.Setting.all.filter { setting in
        let method = ProcessInfo.processInfo.environment["FOVEA_ESTIMATE_METHOD"]
        return method.map { $0 == setting.method.rawValue } ?? true
    }

    let estimate: MemoryEstimate
    let peakBytes: Int

    init(_ recipe: TrainingRecipe, folder: String) throws {
        let backend = try CPUBackend()
        let model = try LoadedModel(folder: folder, recipe.weightPlan, on: backend)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let name = try #require(names.sorted().first { $0.hasSuffix(".png") })
        let row = TrainingRow(
            id: "row",
            messages: [
                .init(.user, [.image, .text("What is in the picture? Describe it.")]),
                .init(.assistant, "A red car next to two people."),
            ], images: [try SmallFile.read("\(folder)/\(name)", bytesMax: 1 << 26).get()])
        let encoder = RowEncoder(model.inputs, recipe, tokensMax: 4096)
        let input = try encoder.input(row, .none)
        let weights = try TrainedWeights(startOf: recipe, in: model)
        var step = TrainingStep(
            model.model, weights.trained(in: model), from: weights.values, recipe.adamW)
        step.options = recipe.stepOptions
        backend.resetMemoryMax()
        for index in 0..<2 {
            _ = step([[input]], learningRate: 1e-4, key: RandomKey(seed: 1).child(index))
        }
        peakBytes = backend.memoryUse.liveMax
        estimate = MemoryEstimate(ModelOutline(model), recipe, batch: BatchShape([input]))
    }
}
