import Base
import Foundation
import Models
import Numerics
import Testing
import Text

@testable import Training

/// How a run goes.
struct RunTests {
    @Test func microBatchesDecideNothingButMemory() throws {
        var tiny = TinyRun()
        tiny.recipe.adapter.dropout = 0
        var small = try tiny.start()
        _ = try small.finish()
        tiny.recipe.batch.microBatchTokensMax = 4096
        var large = try tiny.start()
        var batches: [Int] = []
        _ = try large.finish { if case .step(let step) = $0 { batches.append(step.microBatches) } }
        #expect(batches.allSatisfy { $0 == 1 })
        for (a, b) in zip(small.curve("loss"), large.curve("loss")) {
            #expect(abs(a - b) <= 1e-5, "\(a), not \(b)")
        }
    }

    @Test func stepsTellWhatTheySaw() throws {
        let ticks = Lock<UInt64>(0)
        var tiny = TinyRun()
        tiny.clock = {
            MonotonicTime(
                nanoseconds: ticks.with {
                    $0 += 1_000_000_000; return $0
                })
        }
        let (checked, facts) = try tiny.checked()
        var run = try tiny.start()
        var steps: [StepMeasures] = []
        _ = try run.finish { if case .step(let step) = $0 { steps.append(step) } }
        #expect(steps.map(\.step) == [1, 2, 3, 4, 5, 6])
        #expect(steps.map(\.epoch) == [1, 2, 3, 4, 5, 6].map { Double($0) / 3 })
        let tokens = facts.train.reduce(0) { $0 + $1.tokens }
        #expect(steps[..<3].reduce(0) { $0 + $1.totalTokens } == tokens)
        let trained = facts.train.reduce(0) { $0 + $1.trainedTokens }
        #expect(steps[..<3].reduce(0) { $0 + $1.trainedTokens } == trained)
        let schedule = checked.recipe.schedule(steps: 6)
        #expect(steps.map(\.learningRate) == (0..<6).map { schedule.learningRate($0) })
        #expect(steps.allSatisfy { $0.seconds == 2 && $0.inputWaitSeconds == 1 })
        #expect(steps.allSatisfy { (0...1).contains($0.tokenAccuracy) && $0.gradientNorm > 0 })
        // Evaluations take a second each.
        #expect(run.state.runningSeconds == 6 * 2 + 2)
        #expect(run.state.inputWaitShare == 6.0 / 14)
    }

    @Test func trainingLearns() throws {
        var tiny = TinyRun()
        (tiny.recipe.epochs, tiny.recipe.optimiser.learningRate) = (12, 1e-2)
        tiny.recipe.adapter.dropout = 0
        var run = try tiny.start()
        _ = try run.finish()
        let losses = run.curve("loss")
        #expect(losses[losses.count - 1] < losses[0] - 1)
        let accuracies = run.curve("mean_token_accuracy")
        #expect(accuracies[accuracies.count - 1] > accuracies[0])
    }

    @Test func aRunStopsWhenEvaluationsImproveNoMore() throws {
        var tiny = TinyRun()
        tiny.recipe.epochs = 10
        tiny.recipe.earlyStopping.metric = "accuracy"
        tiny.recipe.earlyStopping.deltaMin = 0.05
        let scores = [3: 0.5, 6: 0.8, 9: 0.84, 12: 0.7]
        tiny.taskMetrics = { _, step in ["accuracy": scores[step] ?? 1] }
        var run = try tiny.start()
        var improved: [Bool] = []
        let ending = try run.finish {
            if case .evaluation(let found) = $0 { improved.append(found.isImproved) }
        }
        #expect(ending == .stoppedEarly(evaluations: 2))
        #expect(run.state.step == 12)
        #expect(improved == [true, true, false, false])
        #expect(run.state.best?.value == 0.8)
        #expect(run.curve("eval_accuracy") == [0.5, 0.8, 0.84, 0.7])
    }

    @Test func aMetricThatNobodyMeasuresIsRefused() throws {
        var tiny = TinyRun()
        tiny.recipe.earlyStopping.metric = "f1"
        tiny.taskMetrics = { _, _ in ["accuracy": 1] }
        var run = try tiny.start()
        let error = #expect(throws: RunError.self) { _ = try run.finish() }
        #expect(error?.message.contains("measured were accuracy, loss") == true)
    }

    @Test func cancellingTakesEffectWithinAStep() throws {
        let tiny = TinyRun()
        var run = try tiny.start()
        _ = try run.advance()
        let before = run.bits
        run.control.ask(.cancel)
        run.control.ask(.goOn)
        #expect(try run.advance() == .stopped(.cancelled))
        #expect(try run.advance() == .stopped(.cancelled))
        #expect(run.bits == before)
    }

    @Test func aStepThatIsGivenUpChangesNothing() throws {
        let tiny = TinyRun()
        let setup = try tiny.setup()
        let weights = try TrainedWeights(startOf: setup.recipe, in: tiny.model)
        var step = TrainingStep(
            tiny.model.model, weights.trained(in: tiny.model), from: weights.values,
            setup.recipe.adamW)
        let inputs = try tiny.rows.train.map { try setup.encoder.input($0, .none) }
        let asked = Lock(0)
        let result = step.run(
            inputs.map { [$0] }, learningRate: 1, key: RandomKey(seed: 1),
            goesOn: {
                asked.with {
                    $0 += 1; return $0 < 4
                }
            })
        #expect(result == nil)
        #expect(asked.with { $0 } == 4)
        for (name, tensor) in weights.values {
            #expect(step.values[name]?.bytes() == tensor.bytes())
        }
    }

    @Test func aPausedRunGoesOnInTheSameProcess() throws {
        let tiny = ResumeTests.tiny()
        var uninterrupted = try tiny.start()
        _ = try uninterrupted.finish()
        var run = try tiny.start()
        for _ in 0..<3 { _ = try run.advance() }
        run.control.ask(.pause)
        #expect(try run.finish() == .paused)
        run.control.ask(.goOn)
        #expect(try run.finish() == .finished)
        #expect(run.bits == uninterrupted.bits)
    }
}

/// Rows that cannot be had.
struct BadRowTests {
    private static func fault(_ row: Int) -> @Sendable (RowSplit, Int) -> RowFault? {
        { split, index in
            guard split == .train, index == row else { return nil }
            return .unreadable(row: "row-\(row)", why: "the image is cut off at byte 7")
        }
    }

    @Test func aBadRowEndsTheRunWithItsName() throws {
        var tiny = TinyRun()
        tiny.rows.fault = Self.fault(3)
        var run = try tiny.start()
        let error = #expect(throws: RunError.self) { _ = try run.finish() }
        #expect(error?.message == "row row-3: the image is cut off at byte 7")
        #expect(error?.reason == "ROW_UNREADABLE")
    }

    @Test func aBadRowIsSkippedAndCountedWhereThePolicySaysSo() throws {
        var tiny = TinyRun()
        tiny.recipe.badRows = .skip
        tiny.rows.fault = Self.fault(3)
        var run = try tiny.start()
        var skipped: [SkippedRow] = []
        let ending = try run.finish { if case .step(let step) = $0 { skipped += step.skipped } }
        #expect(ending == .finished)
        #expect(skipped.map(\.id) == ["row-3", "row-3"])
        #expect(run.state.skippedRows == 2)
    }

    @Test func aSourceThatIsAwayIsWaitedForWhateverThePolicy() throws {
        var tiny = TinyRun()
        tiny.recipe.badRows = .skip
        var uninterrupted = try tiny.start()
        _ = try uninterrupted.finish()
        let isAway = Lock(false)
        tiny.rows.fault = { _, _ in
            isAway.with { $0 } ? .unavailable(why: "connection refused") : nil
        }
        var run = try tiny.start()
        _ = try run.advance()
        isAway.with { $0 = true }
        let error = #expect(throws: RunError.self) { _ = try run.finish() }
        #expect(error?.kind == .unavailable)
        isAway.with { $0 = false }
        #expect(try run.finish() == .finished)
        #expect(run.bits == uninterrupted.bits)
        #expect(run.state.skippedRows == 0)
    }
}

/// Runs that fall apart.
struct DivergenceTests {
    @Test func aGradientThatIsNoNumberStopsTheRunAndNamesTheRows() throws {
        let tiny = TinyRun(rows: 8)
        var setup = try tiny.setup()
        var weights = try TrainedWeights(startOf: setup.recipe, in: tiny.model)
        var values = weights.values
        let name = try #require(values.names.last)
        let shape = try #require(values[name]).shape
        values[name] = .filled(.nan, shape, on: cpuOf(tiny))
        weights = weights.with(values)
        setup.start = weights
        var run = try TrainingRun(setup)
        guard case .diverged(let divergence) = try run.finish() else {
            Issue.record("no divergence")
            return
        }
        #expect(divergence.step == 1)
        #expect(divergence.rows.count == 4)
        #expect(divergence.rows.allSatisfy { $0.hasPrefix("row-") })
        #expect(!divergence.tensors.isEmpty && divergence.loss.isNaN)
        #expect(run.state.step == 0)
        #expect(run.history.isEmpty)
    }

    @Test func aNormFarAboveTheUsualIsNotTaken() {
        var watch = DivergenceWatch()
        for norm in [1.0, 2, 3, 4, 5, 6, 7] { watch.note(norm) }
        #expect(watch.normMax == nil)
        watch.note(8)
        #expect(watch.normMax == 5000)
        // Norms fall as a run learns; the first ones still count.
        for _ in 0..<100 { watch.note(1e-6) }
        #expect(watch.normMax == 5000)
        for _ in 0..<100 { watch.note(50) }
        #expect(watch.normMax == 50_000)
    }

    @Test func anExplodingGradientIsNotApplied() throws {
        let tiny = TinyRun()
        let setup = try tiny.setup()
        let weights = try TrainedWeights(startOf: setup.recipe, in: tiny.model)
        var step = TrainingStep(
            tiny.model.model, weights.trained(in: tiny.model), from: weights.values,
            setup.recipe.adamW)
        step.options.refusedNorm = 1e-6
        let input = try setup.encoder.input(tiny.rows.train[0], .none)
        let result = step([[input]], learningRate: 1, key: RandomKey(seed: 1))
        #expect(!result.isTaken && result.notFinite.isEmpty && result.gradientNorm > 1e-6)
        for (name, tensor) in weights.values {
            #expect(step.values[name]?.bytes() == tensor.bytes())
        }
    }

    private func cpuOf(_ tiny: TinyRun) -> any Backend { tiny.model.model.backend }
}
