import Base
import Evaluation
import Foundation
import Messages
import RPC
import Testing

@testable import TrainerService

/// Baselines in all their ways of asking, and what is made of them.
struct JudgingTests {
    /// One prompt, held to the classes too, asked again once and with darker images.
    private static func baseline(
        _ id: String, _ change: (inout BaselineSpec) -> Void = { _ in }
    ) -> CreateJobRequest {
        var spec = BaselineSpec()
        (spec.model, spec.datasetVersion) = ("models/tiny", "datasets/cells/versions/1")
        spec.prompts = [.with { $0.promptID = "row" }]
        (spec.shotCounts, spec.shotSelection) = ([0, 2], .nearestImage)
        (spec.tryConstrained, spec.repeatCount) = (true, 1)
        spec.measuring = .with {
            $0.sampling = .with { $0.tokensMax = 4 }
            ($0.robustness, $0.rowsMax, $0.bootstrapDraws) = (true, 6, 200)
        }
        change(&spec)
        return .with {
            $0.jobID = id
            $0.spec = .with { $0.work = .baseline(spec) }
        }
    }

    private static func evaluation(
        _ trainer: TinyTrainer, _ id: String, thumbnails: UInt32 = 0
    ) async throws -> GetEvaluationResponse {
        let events = try await trainer.harness.events(id)
        let job = try await trainer.harness.job(id)
        #expect(events.states.last == .succeeded, "\(job.problem?.message ?? "")")
        return try await trainer.client.call(
            Training.getEvaluation,
            .with {
                $0.name = "jobs/\(id)/evaluations/main"
                ($0.predictions, $0.thumbnailSidePixels) = (.all, thumbnails)
            })
    }

    @Test func everyWayOfAskingIsALineOfTheTable() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freezeClasses(rows: 40)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        _ = try await trainer.client.call(Training.createJob, Self.baseline("base"))
        let got = try await Self.evaluation(trainer, "base", thumbnails: 16)
        let evaluation = try #require(got.evaluation)
        #expect(evaluation.prompts.map(\.shotCount) == [0, 2, 0, 2])
        #expect(evaluation.prompts.map(\.constrained) == [false, false, true, true])
        #expect(evaluation.prompts.map { $0.inconsistency != nil } == [true, true, false, false])
        let held = evaluation.prompts.filter(\.constrained)
        for prompt in held {
            let outside = prompt.measures.first { $0.name == "format.outside" }
            #expect(outside?.value == 0)
        }
        #expect(evaluation.mainMetric == "accuracy")
        #expect(evaluation.rowCount == 6)
        #expect(evaluation.classes.map(\.name) == ["a cat", "a dog"])
        #expect(evaluation.robustness.map(\.transform) == ["brightness"])
        let scores = got.predictions.map(\.score)
        #expect(evaluation.measures.first?.value == scores.reduce(0, +) / 6)
        let slices = Set(evaluation.slices.map(\.slice))
        #expect(slices.isSuperset(of: ["size", "sharpness"]))
        for prediction in got.predictions {
            #expect(Array(prediction.thumbnailJpeg.prefix(2)) == [0xFF, 0xD8])
        }
        let (_, files) = try await trainer.fetch("jobs/base/artifacts/report")
        let page = String(decoding: files["index.html"] ?? [], as: UTF8.self)
        #expect(page.contains("brightness"))
        #expect(page.contains("data:image/jpeg;base64"))
        await trainer.close()
        await datasets.close()
    }

    @Test func rowsAreDrawnSoThatClassesKeepTheirShares() throws {
        var version = DatasetVersion()
        version.name = "datasets/d/versions/1"
        var spec = EvaluateSpec()
        spec.measuring = .with { $0.rowsMax = 10 }
        spec.seed = 3
        let plan = try MeasurePlan(spec, version)
        let strata = (0..<100).map { $0 < 70 ? "a" : $0 < 95 ? "b" : "c" }
        let chosen = plan.chosen(strata)
        #expect(chosen == chosen.sorted())
        #expect(Set(chosen).count == 10)
        let counts = ["a", "b", "c"].map { name in chosen.count { strata[$0] == name } }
        #expect(counts[0] == 7)
        #expect([[2, 1], [3, 0]].contains(Array(counts[1...])))
        #expect(plan.chosen(Array(strata.prefix(5))) == [0, 1, 2, 3, 4])
        spec.seed = 4
        #expect(try MeasurePlan(spec, version).chosen(strata) != chosen)
    }

    @Test func unsureAnswersCountAsHandedOver() throws {
        var version = DatasetVersion()
        version.answerSchema = .with {
            $0.classes = ["cat", "dog"].map { name in .with { $0.name = name } }
        }
        let rows: [(String, String, Double)] = [
            ("cat", "cat", 0.9), ("cat", "dog", 0.2), ("dog", "dog", 0.8), ("dog", "fish", 0.9),
        ]
        let predictions = rows.map { expected, answer, confidence -> Prediction in
            .with { ($0.expected, $0.answer, $0.confidence) = (expected, answer, confidence) }
        }
        let bootstrap = try Bootstrap(key: RandomKey(seed: 1), draws: 100)
        let scores = try AnswerScores(predictions, version, abstainBelow: 0.5, bootstrap)
        let values = Dictionary(
            scores.estimates.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
        #expect(values["accuracy"] == 0.5)
        #expect(values["coverage"] == 0.75)
        #expect(values["format.outside"] == 0.25)
        #expect(scores.rows == [1, 0, 1, 0])
    }

    @Test func fieldsAreComparedByTheRulesOfTheDataset() throws {
        var version = DatasetVersion()
        version.task = .extraction
        version.answerSchema = .with {
            $0.fieldRules = [
                .with { ($0.pointer, $0.normalizer) = ("/day", .date) },
                .with { ($0.pointer, $0.normalizer, $0.tolerance) = ("/sum", .number, 0.5) },
                .with { ($0.pointer, $0.normalizer) = ("/length", .quantity) },
            ]
        }
        let prediction = Prediction.with {
            $0.expected = #"{"day": "2024-03-01", "sum": 1200, "length": "1.2 m"}"#
            $0.answer = #"{"day": "1 March 2024", "sum": "1,200.4", "length": "120 cm"}"#
        }
        let scores = try AnswerScores(
            [prediction], version, abstainBelow: 0,
            try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(scores.rows == [1])
        version.answerSchema?.fieldRules = []
        let strict = try AnswerScores(
            [prediction], version, abstainBelow: 0,
            try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(strict.rows == [0])
        #expect(strict.wrongPointers == [["/day", "/length", "/sum"]])
    }
}
