import Base
import Foundation
import Messages
import RPC
import Testing

@testable import TrainerService

/// Measuring answers over the wire, and what is concluded from them.
struct MeasureTests {
    /// Short answers from two prompts, without shots.
    private static func baseline(_ id: String) -> CreateJobRequest {
        var spec = BaselineSpec()
        (spec.model, spec.datasetVersion) = ("models/tiny", "datasets/cells/versions/latest")
        spec.prompts = [
            .with { $0.promptID = "row" },
            .with { ($0.promptID, $0.userText) = ("brief", "{prompt} Be brief.") },
        ]
        spec.shotCounts = [0, 1]
        spec.measuring = .with { $0.sampling = .with { $0.tokensMax = 4 } }
        return .with {
            $0.jobID = id
            $0.spec = .with { $0.work = .baseline(spec) }
        }
    }

    private static func evaluate(_ id: String, adapter: String) -> CreateJobRequest {
        var spec = EvaluateSpec()
        spec.target = .with { ($0.model, $0.adapter) = ("models/tiny", adapter) }
        spec.datasetVersion = "datasets/cells/versions/1"
        spec.measuring = .with { $0.sampling = .with { $0.tokensMax = 4 } }
        return .with {
            $0.jobID = id
            $0.spec = .with { $0.work = .evaluate(spec) }
        }
    }

    /// The answers that a job leaves as lines are those that are told of it.
    private static func checkLines(
        of job: String, _ got: GetEvaluationResponse, _ trainer: TinyTrainer
    ) async throws {
        let (told, files) = try await trainer.fetch("jobs/\(job)/artifacts/predictions")
        #expect(told.kind == .predictions)
        let lines = (files["predictions.jsonl"] ?? []).split(separator: 10)
        #expect(lines.count == Int(got.predictionCount))
        for (line, prediction) in zip(lines, got.predictions) {
            let read = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
            #expect(read?["example"] as? String == prediction.example)
            #expect(read?["answer"] as? String == prediction.answer)
            #expect(read?["score"] as? Double == prediction.score)
        }
    }

    @Test func aBaselineATrainedModelAndHowTheyDiffer() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze(rows: 30)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        let before = try await client.call(
            Training.adviseTuning,
            .with { ($0.datasetVersion, $0.targetScore) = ("datasets/cells/versions/1", 0.9) })
        #expect(before.verdict == .doNotTune)
        #expect(before.evidence.first?.rule == "rows.minimum")
        _ = try await client.call(Training.createJob, Self.baseline("base"))
        let events = try await trainer.harness.events("base")
        let job = try await trainer.harness.job("base")
        #expect(events.states.last == .succeeded, "\(job.problem?.message ?? "")")
        #expect(job.evaluations == ["jobs/base/evaluations/main"])
        let got = try await client.call(
            Training.getEvaluation,
            .with {
                $0.name = "jobs/base/evaluations/main"
                ($0.predictions, $0.pageSize) = (.all, 2)
            })
        let evaluation = try #require(got.evaluation)
        #expect(evaluation.prompts.count == 4)
        #expect(evaluation.promptSpread != nil)
        #expect(evaluation.splitSha256.count == 64)
        #expect(got.predictionCount == evaluation.rowCount)
        #expect(got.predictions.count == 2)
        #expect(!got.nextPageToken.isEmpty)
        try await Self.checkLines(of: "base", got, trainer)
        try await trainer.create("tuned") { $0.epochs = 1 }
        #expect(try await trainer.harness.events("tuned").states.last == .succeeded)
        let tuned = try await trainer.harness.job("tuned")
        #expect(!tuned.warnings.contains { $0.reason == .baselineMissing })
        _ = try await client.call(
            Training.createJob, Self.evaluate("after", adapter: tuned.bestCheckpoint))
        #expect(try await trainer.harness.events("after").states.last == .succeeded)
        for (id, isTrained) in [("base", false), ("after", true)] {
            let page = try await trainer.fetch("jobs/\(id)/artifacts/report").files["index.html"]
            let text = String(decoding: page ?? [], as: UTF8.self)
            #expect(text.contains("<h2>Loss</h2>") == isTrained)
        }
        let compared = try await client.call(
            Training.compareEvaluations,
            .with {
                $0.baseline = "jobs/base/evaluations/main"
                $0.candidates = ["jobs/after/evaluations/main"]
            })
        let comparison = try #require(compared.comparisons.first)
        let counts = [
            comparison.gainedCount, comparison.lostCount, comparison.bothRightCount,
            comparison.bothWrongCount,
        ]
        #expect(counts.reduce(0, +) == compared.rowCount)
        #expect(compared.rowCount == evaluation.rowCount)
        let (_, files) = try await trainer.fetch("jobs/after/artifacts/report")
        let page = String(decoding: files["index.html"] ?? [], as: UTF8.self)
        #expect(page.contains("<html"))
        #expect(page.contains("jobs/after"))
        await trainer.close()
        await datasets.close()
    }

    @Test func anEstimateCountsTheRowsOfThisVersion() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let spec = TinyTrainer.request("x").spec
        let answer = try await trainer.client.call(
            Training.estimateJob, .with { $0.spec = spec })
        let estimate = try #require(answer.estimate)
        #expect(answer.problems.isEmpty, "\(answer.problems)")
        #expect(estimate.fits)
        #expect(estimate.stepCount == 8)
        #expect(estimate.memory.reduce(0) { $0 + $1.hostBytes } == estimate.peakHostBytes)
        #expect(estimate.rowTokens?.sampleCount == 14)
        #expect(estimate.trainedParameterCount > 0)
        #expect(estimate.devices.map(\.device) == ["cpu", "24 GB", "40 GB", "80 GB"])
        #expect((1...4).contains(estimate.worstBatch.count))
        let more = try await trainer.client.call(
            Training.estimateJob,
            .with {
                $0.spec = spec
                ($0.assumedRowTokens, $0.assumedRowCount) = (1_000, 100)
            })
        #expect((more.estimate?.peakDeviceBytes ?? 0) > estimate.peakDeviceBytes)
        await trainer.close()
        await datasets.close()
    }

    @Test func whatCannotBeMeasuredIsRefused() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        let refused = { @Sendable (change: (inout BaselineSpec) -> Void) async -> String? in
            var request = Self.baseline("x")
            guard case .baseline(var spec)? = request.spec?.work else { return nil }
            change(&spec)
            request.spec?.work = .baseline(spec)
            let asked = request
            return await reason { _ = try await client.call(Training.createJob, asked) }
        }
        #expect(await refused { $0.shotCounts = [65] } == "FIELD_INVALID")
        #expect(await refused { $0.prompts[0].promptID = "Row" } == "FIELD_INVALID")
        #expect(await refused { $0.prompts[1].promptID = "row" } == "FIELD_INVALID")
        #expect(
            await refused { $0.measuring = .with { $0.bootstrapDraws = 5 } } == "FIELD_INVALID")
        #expect(await refused { $0.shotCounts = [1, 1] } == "FIELD_INVALID")
        #expect(await refused { $0.tryConstrained = true } == "FIELD_INVALID")
        #expect(await refused { $0.measuring = .with { $0.robustness = true } } == "FIELD_INVALID")
        #expect(await refused { $0.measuring = .with { $0.slices = ["mood"] } } == "FIELD_INVALID")
        #expect(
            await refused {
                $0.measuring = .with { $0.sampling = .with { $0.temperature = 3 } }
            } == "FIELD_INVALID")
        #expect(await refused { $0.model = "models/none" } == "RESOURCE_NOT_FOUND")
        #expect(await refused { $0.repeatCount = 21 } == "FIELD_INVALID")
        for (name, expected) in [
            ("", "FIELD_REQUIRED"), ("jobs/x", "NAME_INVALID"),
            ("jobs/x/evaluations/y", "RESOURCE_NOT_FOUND"),
        ] {
            #expect(
                await reason {
                    _ = try await client.call(Training.getEvaluation, .with { $0.name = name })
                } == expected)
        }
        #expect(
            await reason {
                _ = try await client.call(
                    Training.adviseTuning,
                    .with { $0.datasetVersion = "datasets/cells/versions/1" })
            } == "FIELD_REQUIRED")
        await trainer.close()
        await datasets.close()
    }
}
