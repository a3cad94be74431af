import Base
import Foundation
import GoldenModels
import Messages
import RPC
import Testing

@testable import TrainerService

/// What a train spec may ask for beside the method, over the wire.
struct RunOptionTests {
    @Test func augmentedRowsAreDrawnBySeedAndEpoch() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freezeClasses(rows: 24)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let made = try await trainer.create("first")
        guard case .train(let spec)? = made.spec?.work else {
            Issue.record("no train spec")
            return
        }
        #expect(spec.augment == true)
        let first = try await trainer.harness.events("first")
        #expect(first.states.last == .succeeded)
        // Without room in the cache each row is fetched alone, and is drawn alike.
        let bare = try await TinyTrainer(datasets, rowCacheBytes: 0)
        try await bare.register()
        try await bare.create("second")
        #expect(try await bare.harness.events("second").losses == first.losses)
        try await trainer.create("plain") { $0.augment = false }
        let plain = try await trainer.harness.events("plain")
        #expect(plain.losses != first.losses)
        // No matrix has learned anything yet, so only the rows can tell the runs apart.
        #expect(plain.losses.first != first.losses.first)
        await trainer.close()
        await bare.close()
        await datasets.close()
    }

    @Test func augmentingWithoutAPolicyIsRefused() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        let refused = { @Sendable (change: (inout JobSpec) -> Void) async -> String? in
            var request = TinyTrainer.request("x")
            var spec = request.spec ?? JobSpec()
            change(&spec)
            request.spec = spec
            return await reason { [request] in
                _ = try await client.call(Training.createJob, request)
            }
        }
        #expect(await refused { $0.train { $0.augment = true } } == "FIELD_INVALID")
        #expect(
            await refused { $0.train { $0.earlyStopping = .with { $0.metric = "acuracy" } } }
                == "FIELD_INVALID")
        #expect(await refused { $0.train { $0.preprocess = .init() } } == "FIELD_INVALID")
        #expect(await refused { $0.hostBytesMax = 1 << 20 } == "DOES_NOT_FIT")
        #expect(
            await refused {
                $0.train { $0.initialAdapter = String(repeating: "ab", count: 32) }
            } == "RESOURCE_NOT_FOUND")
        await trainer.close()
        await datasets.close()
    }

    @Test func anEstimateIsMeasuredOnAFreeDevice() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let spec = TinyTrainer.request("x").spec
        let plain = try await trainer.client.call(Training.estimateJob, .with { $0.spec = spec })
        #expect(plain.estimate?.timeBasis == "")
        let measured = try await trainer.client.call(
            Training.estimateJob, .with { ($0.spec, $0.measure) = (spec, true) })
        #expect((measured.estimate?.runningSeconds ?? 0) > 0)
        #expect(measured.estimate?.timeBasis == "measured on this device")
        let client = trainer.client
        let seen = await reason {
            _ = try await client.call(
                Training.estimateJob,
                .with { ($0.spec, $0.measure, $0.assumedRowTokens) = (spec, true, 100) })
        }
        #expect(seen == "FIELD_INVALID")
        await trainer.close()
        await datasets.close()
    }

    @Test func aMetricOfAnswersDecidesWhenToStop() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freezeClasses(rows: 24)
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        try await trainer.create("a") {
            $0.earlyStopping = .with { ($0.metric, $0.patienceEvaluations) = ("accuracy", 1) }
            // Nothing is learned, so no evaluation is better than the first.
            $0.optimizer = .with { $0.learningRate = 1e-12 }
            ($0.epochs, $0.generatedRowsMax) = (5, 1)
        }
        let events = try await trainer.harness.events("a")
        #expect(events.states.last == .succeeded)
        let values = events.compactMap { event -> Double? in
            guard case .evaluation(let evaluation)? = event.body else { return nil }
            return evaluation.measures.first { $0.name == "accuracy" }?.value
        }
        #expect(values.count == 2)
        #expect(values.allSatisfy { (0...1).contains($0) })
        await trainer.close()
        await datasets.close()
    }

    @Test func aJobGoesOnFromAnAdapterByItsDigestAndLeavesALog() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let made = try await trainer.create("first")
        #expect((made.estimate?.peakHostBytes ?? 0) > 0)
        let first = try await trainer.harness.events("first")
        let job = try await trainer.harness.job("first")
        #expect((job.usage?.estimateRatio ?? 0) > 0)
        let digest = try #require(job.artifacts.first { $0.kind == .adapter }?.contentSha256)
        #expect(made.warnings.contains { $0.field == "spec.train.forgetting" })
        try await trainer.create("second") {
            $0.initialAdapter = digest
            $0.forgetting = .with { $0.disabled = true }
        }
        let second = try await trainer.harness.events("second")
        #expect(second.states.last == .succeeded)
        #expect((second.losses.first ?? 9) < (first.losses.first ?? 0))
        let other = try #require(
            GoldenFamily.all.first {
                $0.folder != TinyTrainer.model?.folder && $0.has("golden/lora_lm/info.json")
            })
        let client = trainer.client
        _ = try await client.call(
            Training.registerModel,
            .with { ($0.modelID, $0.directory) = ("other", "\(other)") })
        for start in [digest, "jobs/first/checkpoints/best"] {
            let wrong = TinyTrainer.request("third") {
                ($0.model, $0.initialAdapter) = ("models/other", start)
            }
            let seen = await reason { _ = try await client.call(Training.createJob, wrong) }
            #expect(seen == "BASE_MISMATCH")
        }
        let log = try await trainer.fetch("jobs/first/artifacts/log")
        #expect(log.summary.kind == .log)
        #expect(log.files["trainer_state.json"]?.isEmpty == false)
        #expect(log.files.keys.contains { $0.hasPrefix("events.out.tfevents.") })
        await trainer.close()
        await datasets.close()
    }
}

extension JobSpec {
    /// Changes the train spec of a job that has one.
    fileprivate mutating func train(_ change: (inout TrainSpec) -> Void) {
        guard case .train(var spec)? = work else { return }
        change(&spec)
        work = .train(spec)
    }
}

/// Adapters that become part of their base, over the wire.
struct MergeTests {
    @Test func aMergedModelIsCheckedRegisteredAndTrainable() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        try await trainer.create("first") { $0.optimizer = .with { $0.learningRate = 1e-2 } }
        let first = try await trainer.harness.events("first")
        let client = trainer.client
        let request = { @Sendable (change: (inout MergeSpec) -> Void) in
            var spec = MergeSpec()
            (spec.adapter, spec.outputModelID) = ("jobs/first/checkpoints/best", "whole")
            spec.outputWeightFormat = .float32
            change(&spec)
            return CreateJobRequest.with {
                $0.jobID = "merge"
                $0.spec = .with { $0.work = .merge(spec) }
            }
        }
        let refused = { @Sendable (change: (inout MergeSpec) -> Void) async -> String? in
            let request = request(change)
            return await reason { _ = try await client.call(Training.createJob, request) }
        }
        #expect(await refused { $0.adapter = "" } == "FIELD_REQUIRED")
        #expect(await refused { $0.outputModelID = "tiny" } == "RESOURCE_EXISTS")
        #expect(await refused { $0.outputWeightFormat = .nf4 } == "FIELD_INVALID")
        #expect(await refused { $0.checkRows = 2_000 } == "FIELD_INVALID")
        _ = try await client.call(Training.createJob, request { _ in })
        let events = try await trainer.harness.events("merge")
        let job = try await trainer.harness.job("merge")
        #expect(job.state == .succeeded, "\(job.problem?.message ?? "")")
        #expect(job.outputModel == "models/whole")
        let measures = events.compactMap { event -> [Measure]? in
            guard case .evaluation(let evaluation)? = event.body else { return nil }
            return evaluation.measures
        }
        let found = try #require(measures.first)
        #expect(found.first { $0.name == "same_top_token" }?.value == 1)
        #expect((found.first { $0.name == "logit_difference" }?.value ?? 1) < 0.001)
        // The merged model begins where the adapter ended.
        try await trainer.create("second") { $0.model = "models/whole" }
        let second = try await trainer.harness.events("second")
        #expect((second.losses.first ?? 9) < (first.losses.first ?? 0))
        await trainer.close()
        await datasets.close()
    }
}
