import Foundation
import GoldenModels
import Layers
import Models
import Numerics
import Testing

@testable import Training

/// Stopping and going on.
struct ResumeTests {
    /// A run with all that has a state: dropout, warm-up, two micro-batches, evaluations, 8-bit
    /// moments.
    static func tiny() -> TinyRun {
        var tiny = TinyRun()
        tiny.recipe.adapter.dropout = 0.1
        tiny.recipe.optimiser.warmupShare = 0.3
        tiny.recipe.optimiser.hasByteMoments = true
        tiny.recipe.evaluationIntervalSteps = 2
        tiny.recipe.earlyStopping.isDisabled = true
        return tiny
    }

    @Test func aRunThatIsStoppedAtEveryStepEndsWithTheSameBits() throws {
        let whole = try TrainingFolder()
        var tiny = Self.tiny()
        tiny.store = CheckpointStore(whole.path)
        var uninterrupted = try tiny.start()
        #expect(try uninterrupted.finish() == .finished)
        #expect(uninterrupted.steps == 6)

        let folder = try TrainingFolder()
        tiny.store = CheckpointStore(folder.path)
        var stops = 0
        var run = try tiny.start()
        while true {
            var last: RunEvent?
            while last == nil {
                let event = try run.advance()
                if case .checkpoint = event { continue }
                last = event
            }
            if case .stopped(let ending) = last {
                #expect(ending == .finished)
                break
            }
            run.control.ask(.pause)
            #expect(try run.finish() == .paused)
            stops += 1
            // Nothing but what is on the disk goes on.
            run = try tiny.start(from: "last")
        }
        #expect(stops == 6 + 4)
        #expect(run.bits == uninterrupted.bits)
        #expect(run.history == uninterrupted.history)
        #expect(run.state.best?.value == uninterrupted.state.best?.value)
        #expect(run.state.trainedTokens == uninterrupted.state.trainedTokens)
        let ends = [whole, folder].map { "\($0.path)/last/adapter_model.safetensors" }
        #expect(
            try Data(contentsOf: URL(filePath: ends[0])) == Data(contentsOf: URL(filePath: ends[1]))
        )
    }

    @Test func fullTrainingGoesOnWithTheSameBits() throws {
        var tiny = Self.tiny()
        tiny.recipe.method = .full
        tiny.recipe.batch.precision = .bfloat16
        for part in [ModelPart.language, .embeddings, .projector] {
            tiny.recipe.parts[part] = PartTuning()
        }
        let model = try LoadedModel(
            folder: TinyModel.golden.folder, tiny.recipe.resolved().weightPlan, on: cpu)
        var uninterrupted = try TrainingRun(try tiny.setup(on: model))
        #expect(try uninterrupted.finish() == .finished)
        let folder = try TrainingFolder()
        tiny.store = CheckpointStore(folder.path)
        var first = try TrainingRun(try tiny.setup(on: model))
        while first.state.step < 3 { _ = try first.advance() }
        first.control.ask(.pause)
        #expect(try first.finish() == .paused)
        let saved = try SavedCheckpoint("last", in: try #require(tiny.store))
        var second = try TrainingRun(try tiny.setup(on: model), resuming: saved)
        #expect(try second.finish() == .finished)
        #expect(second.bits == uninterrupted.bits)
        #expect(second.history == uninterrupted.history)
        // The folder is a model that can be loaded as it is.
        let trained = try LoadedModel(
            folder: "\(folder.path)/last", WeightPlan(type: .bfloat16, isTrainable: { _ in true }),
            on: cpu)
        let name = try #require(second.trained.values.names.first)
        #expect(trained.trainableParameters()[name]?.bytes() == second.bits[name])
    }

    @Test func aKilledRunGoesOnFromItsLastCheckpoint() throws {
        let folder = try TrainingFolder()
        var tiny = Self.tiny()
        tiny.recipe.checkpointIntervalSteps = 2
        var uninterrupted = try tiny.start()
        _ = try uninterrupted.finish()
        tiny.store = CheckpointStore(folder.path)
        var killed = try tiny.start()
        while killed.state.step < 5 { _ = try killed.advance() }
        // A file that was being written when the process ended.
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/.checkpoint-6.partial", withIntermediateDirectories: true)
        var run = try tiny.start(from: "last")
        #expect(run.state.step == 4)
        #expect(!folder.names.contains(".checkpoint-6.partial"))
        #expect(try run.finish() == .finished)
        #expect(run.bits == uninterrupted.bits)
        #expect(run.history == uninterrupted.history)
    }

    @Test func aSeedRepeatsARunAndAnotherDoesNot() throws {
        var tiny = Self.tiny()
        func trained() throws -> [String: [UInt8]] {
            var run = try tiny.start()
            _ = try run.finish()
            return run.bits
        }
        let first = try trained()
        #expect(try trained() == first)
        tiny.recipe.seed = 8
        #expect(try trained() != first)
    }

    @Test func aCheckpointOfAnotherBaseOrRecipeOrRowsIsRefused() throws {
        let folder = try TrainingFolder()
        var tiny = Self.tiny()
        tiny.store = CheckpointStore(folder.path)
        var run = try tiny.start()
        _ = try run.finish()
        func refusal(_ tiny: TinyRun) throws -> RunError? {
            do {
                _ = try tiny.start(from: "last")
                return nil
            } catch let error as RunError {
                return error
            }
        }
        var other = tiny
        other.baseDigest = "base-2"
        #expect(try refusal(other)?.reason == "BASE_MISMATCH")
        #expect(try refusal(other)?.message.contains("base-1, this run has base-2") == true)
        other = tiny
        other.recipe.optimiser.weightDecay = 0.1
        #expect(try refusal(other)?.reason == "CHECKPOINT_MISMATCH")
        #expect(try refusal(other)?.message.contains("optimiser") == true)
        other = tiny
        other.rows.train.removeLast()
        #expect(try refusal(other)?.reason == "CHECKPOINT_MISMATCH")
        #expect(try refusal(tiny) == nil)
    }

    @Test func aDamagedCheckpointIsRefused() throws {
        let folder = try TrainingFolder()
        var tiny = Self.tiny()
        tiny.store = CheckpointStore(folder.path)
        var run = try tiny.start()
        _ = try run.finish()
        let store = try #require(tiny.store)
        for name in ["run.json", "optimizer.safetensors", "adapter_model.safetensors"] {
            let url = URL(filePath: "\(folder.path)/last/\(name)")
            let whole = try Data(contentsOf: url)
            var damaged = whole
            damaged[damaged.count / 2] ^= 1
            try damaged.write(to: url)
            let error = #expect(throws: CheckpointError.self) {
                _ = try SavedCheckpoint("last", in: store)
            }
            #expect(error?.message.contains(name) == true)
            try whole.write(to: url)
        }
        #expect(throws: CheckpointError.self) {
            _ = try SavedCheckpoint("checkpoint-99", in: store)
        }
        #expect(throws: CheckpointError.self) { _ = try SavedCheckpoint("../last", in: store) }
        _ = try SavedCheckpoint("best", in: store)
    }
}
