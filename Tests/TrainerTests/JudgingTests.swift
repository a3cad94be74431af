import Base
import Evaluation
import Foundation
import Messages
import Models
import RPC
import Testing

@testable import Generation
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
        let advice = try await trainer.client.call(
            Training.adviseTuning,
            .with {
                $0.datasetVersion = "datasets/cells/versions/1"
                ($0.targetScore, $0.baselines) = (0.9, ["jobs/base/evaluations/main"])
            })
        let rules = Set(advice.evidence.map(\.rule))
        #expect(advice.verdict == .doNotTune)
        #expect(
            rules.isSuperset(of: [
                "rows.minimum", "baseline.share_of_target", "shots.gain", "format.valid",
                "prompts.inconsistency", "schema.changes",
            ]))
        #expect(page.contains("data:image/jpeg;base64"))
        await trainer.close()
        await datasets.close()
    }

    @Test func aModelIsHeldAgainstTheBaselineItNames() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freezeClasses(rows: 40)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        func evaluate(_ id: String, against: String, rows: UInt32 = 6) -> CreateJobRequest {
            var spec = EvaluateSpec()
            spec.target = .with { $0.model = "models/tiny" }
            (spec.datasetVersion, spec.compareWith) = ("datasets/cells/versions/1", against)
            spec.measuring = .with { measuring in
                measuring.constraint = .with {
                    $0.constraint = .choices(.with { $0.choices = ["a cat", "a dog"] })
                }
                (measuring.rowsMax, measuring.bootstrapDraws) = (rows, 200)
            }
            return .with {
                $0.jobID = id
                $0.spec = .with { $0.work = .evaluate(spec) }
            }
        }
        let refused = { @Sendable (request: CreateJobRequest) async -> String? in
            await reason { _ = try await client.call(Training.createJob, request) }
        }
        #expect(
            await refused(evaluate("x", against: "jobs/none/evaluations/main"))
                == "RESOURCE_NOT_FOUND")
        #expect(await refused(evaluate("x", against: "jobs/none")) == "NAME_INVALID")
        _ = try await client.call(
            Training.createJob, Self.baseline("base") { $0.tryConstrained = false })
        _ = try await Self.evaluation(trainer, "base")
        let request = evaluate("held", against: "jobs/base/evaluations/main")
        _ = try await client.call(Training.createJob, request)
        let held = try await Self.evaluation(trainer, "held")
        #expect(held.predictions.allSatisfy { ["a cat", "a dog"].contains($0.answer) })
        #expect(held.predictions.allSatisfy { (0.5...1).contains($0.confidence) })
        let compared = try await client.call(
            Training.compareEvaluations,
            .with {
                $0.baseline = "jobs/base/evaluations/main"
                ($0.candidates, $0.bootstrapDraws) = (["jobs/held/evaluations/main"], 200)
            })
        let metrics = try #require(compared.comparisons.first).metrics
        #expect(
            metrics.compactMap(\.baseline?.name) == [
                "accuracy", "f1.macro", "f1.micro", "f1.weighted", "balanced_accuracy", "mcc",
                "coverage", "format.outside", "format.valid",
            ])
        #expect(metrics.first?.test == "mcnemar_exact")
        #expect(metrics[1].test == "bootstrap")
        // What is compared are the numbers that were measured.
        for metric in metrics {
            let own = held.evaluation?.measures.first { $0.name == metric.candidate?.name }
            #expect(own?.value == metric.candidate?.value, "\(metric.candidate?.name ?? "")")
        }
        let (_, files) = try await trainer.fetch("jobs/held/artifacts/report")
        let page = String(decoding: files["index.html"] ?? [], as: UTF8.self)
        #expect(page.contains("jobs/base/evaluations/main"))
        // Other rows are not compared, and said to be others.
        _ = try await client.call(
            Training.createJob, evaluate("few", against: "jobs/base/evaluations/main", rows: 4))
        let few = try await Self.evaluation(trainer, "few")
        #expect(few.evaluation?.warnings.contains { $0.reason == .evaluationsDiffer } == true)
        await trainer.close()
        await datasets.close()
    }

    @Test func aModelTrainedInFullIsARoundAndItsBaseIsNone() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freezeClasses(rows: 40)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        _ = try await client.call(
            Training.createJob,
            Self.baseline("base") {
                ($0.shotCounts, $0.tryConstrained, $0.repeatCount) = ([0], false, 0)
                $0.measuring?.robustness = false
            })
        _ = try await Self.evaluation(trainer, "base")
        try await trainer.create("all") { $0.method = .full }
        let events = try await trainer.harness.events("all")
        #expect(events.states.last == .succeeded)
        try await trainer.registerResult(of: "all", as: "tuned")
        for model in ["tiny", "tuned"] {
            var spec = EvaluateSpec()
            spec.target = .with { $0.model = "models/\(model)" }
            spec.datasetVersion = "datasets/cells/versions/1"
            spec.measuring = .with {
                $0.sampling = .with { $0.tokensMax = 4 }
                ($0.rowsMax, $0.bootstrapDraws) = (6, 200)
            }
            _ = try await client.call(
                Training.createJob,
                .with { [spec] in
                    $0.jobID = "score-\(model)"
                    $0.spec = .with { $0.work = .evaluate(spec) }
                })
            _ = try await Self.evaluation(trainer, "score-\(model)")
        }
        let advice = try await client.call(
            Training.adviseTuning,
            .with { ($0.datasetVersion, $0.targetScore) = ("datasets/cells/versions/1", 0.9) })
        #expect(advice.roundGains.count == 1)
        #expect(advice.learningCurve.map(\.rowCount).count == 1)
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

    @Test func anAnswerOfAnyCharactersCanBeKept() throws {
        var result = GenerationResult(
            usage: TokenUsage(ModelInput(ids: [1], isTrained: [false])))
        result.text = "a\0b"
        let prediction = Answerer.prediction(StreamedExample(), result)
        let kept = try Prediction(decoding: Bytes(try prediction.encoded()))
        #expect(kept.answer == "a\u{FFFD}b")
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

/// What is concluded from measured models.
struct AdvisingTests {
    private static func baseline(_ score: Double) -> EvaluationRecord {
        let measure = Measure.with {
            ($0.name, $0.value, $0.sampleCount) = ("accuracy", score, 4_000)
            $0.interval = .with { ($0.lower, $0.upper) = (score - 0.01, score + 0.01) }
        }
        let form = Measure.with {
            ($0.name, $0.value, $0.sampleCount) = ("format.valid", 0.5, 4_000)
        }
        let message = Messages.Evaluation.with {
            $0.prompts = [
                .with {
                    ($0.measures, $0.inconsistency) = ([measure, form], form)
                }
            ]
            $0.classes = [
                .with { ($0.name, $0.predictedCount) = ("cat", 9) }, .with { $0.name = "dog" },
            ]
            $0.confusion = [
                .with { ($0.actual, $0.predicted, $0.rowCount) = ("dog", "cat", 3) },
                .with { ($0.actual, $0.predicted, $0.rowCount) = ("cat", "", 1) },
            ]
        }
        return EvaluationRecord(id: 1, message: message, isBaseline: true)
    }

    private static func advice(_ score: Double, rows: Int = 300) -> TuningAdvice {
        var facts = TuningFacts(distinctRows: rows, target: 1)
        facts.take([baseline(score)])
        return TuningAdvice(facts)
    }

    private static func round(
        _ method: TuningMethod, rank: UInt32, _ score: Double
    ) -> TunedRound {
        TunedRound(
            evaluation: .with { $0.measures = [.with { $0.value = score }] },
            spec: .with {
                $0.method = method
                if rank > 0 { $0.adapter = .with { $0.rank = rank } }
            }, gain: nil)
    }

    @Test func theBaselinesShareOfTheTargetDecides() {
        #expect(Self.advice(0.93).verdict == .likelyNotWorth)
        #expect(Self.advice(0.65).verdict == .likelyWorth)
        #expect(Self.advice(0.8).verdict == .undecided)
        #expect(Self.advice(0.65, rows: 299).verdict == .doNotTune)
        let reasons = Dictionary(
            Self.advice(0.65).reasons.map { ($0.rule, $0.observed.value) },
            uniquingKeysWith: { first, _ in first })
        #expect(reasons["errors.unknown_terms"] == 0.75)
        #expect(reasons["format.valid"] == 0.5)
        #expect(reasons["prompts.inconsistency"] == 0.5)
    }

    @Test func thePlanGoesOnFromWhatWasTried() {
        func methods(_ rounds: [TunedRound], _ score: Double = 0.65) -> [String] {
            TuningPlan(model: "models/m", version: "v", target: 0.9, rounds: rounds)
                .steps(Self.advice(score)).map { step in
                    guard case .train(let spec)? = step.spec?.work else { return "other" }
                    return "\(spec.method.plainName) \(spec.adapter?.rank ?? 0) \(step.gate)"
                }
        }
        #expect(
            methods([]) == [
                "QLORA 16 ", "LORA 64 QLoRA scores below 90.0 %",
                "FULL 0 LoRA of rank 64 scores below 90.0 %",
            ])
        let qlora = Self.round(.qlora, rank: 64, 0.7)
        #expect(
            methods([qlora]) == ["LORA 128 ", "FULL 0 LoRA of rank 128 scores below 90.0 %"])
        #expect(methods([qlora, Self.round(.lora, rank: 128, 0.8)]) == ["FULL 0 "])
        #expect(methods([qlora, Self.round(.full, rank: 0, 0.8)]).isEmpty)
        #expect(methods([], 0.93).isEmpty)
    }
}
