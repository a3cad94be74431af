import Base
import Foundation
import Messages
import RPC
import Resources
import Testing

@testable import TrainerService

/// Training jobs over the wire: a tiny model, rows from a dataset service.
struct TrainTests {
    @Test func aJobTrainsAnAdapterFromRowsOfTheDatasetService() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let made = try await trainer.create("a")
        guard case .train(let spec)? = made.spec?.work else {
            Issue.record("no train spec")
            return
        }
        #expect(spec.adapter?.alpha == 8)
        #expect(spec.optimizer?.beta2 == 0.999)
        let events = try await trainer.harness.events("a")
        let job = try await trainer.harness.job("a")
        #expect(job.state == .succeeded, "\(job.problem?.message ?? "")")
        #expect(events.steps == Array(1...8))
        #expect(events.numbers == Array(1...UInt64(events.count)))
        let first = events.losses.prefix(2).reduce(0, +)
        #expect(events.losses.suffix(2).reduce(0, +) < first)
        let listed = try await trainer.client.call(
            Training.listCheckpoints, .with { $0.parent = "jobs/a" })
        #expect(listed.checkpoints.contains { $0.best })
        #expect(listed.checkpoints.filter(\.last).map(\.step) == [8])
        let (summary, files) = try await trainer.fetch("jobs/a/artifacts/result")
        #expect(Set(files.keys).isSuperset(of: ["adapter_config.json", "fovea.json"]))
        #expect(summary.contentSha256 == job.artifacts.first?.contentSha256)
        let rest = try await trainer.fetch("jobs/a/artifacts/result") {
            ($0.resumePath, $0.resumeOffsetBytes) = ("adapter_model.safetensors", 100)
        }
        let weights = try #require(files["adapter_model.safetensors"])
        #expect(rest.files["adapter_model.safetensors"] == Array(weights.dropFirst(100)))
        #expect(rest.files["adapter_config.json"] == nil)
        #expect(job.lineage?.datasetVersionSha256.count == 64)
        await trainer.close()
        await datasets.close()
    }

    @Test func aPausedRunGoesOnBitForBit() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        try await trainer.create("whole")
        let whole = try await trainer.harness.events("whole")
        try await trainer.create("parts") { $0.checkpointIntervalSteps = 3 }
        try await trainer.harness.watch("parts") { $0.step == 2 }
        let client = trainer.client
        let paused = try await client.call(Training.pauseJob, .with { $0.name = "jobs/parts" })
        #expect(paused.state == .paused)
        _ = try await client.call(Training.resumeJob, .with { $0.name = "jobs/parts" })
        let parts = try await trainer.harness.events("parts")
        #expect(parts.steps == whole.steps)
        #expect(parts.losses == whole.losses)
        let one = try await trainer.fetch("jobs/whole/checkpoints/last").files
        let other = try await trainer.fetch("jobs/parts/checkpoints/last").files
        #expect(one["adapter_model.safetensors"] == other["adapter_model.safetensors"])
        await trainer.close()
        await datasets.close()
    }

    /// Without a cache of images each row comes from the dataset service when it is needed.
    @Test func aJobWaitsForADatasetServiceThatIsAway() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets, rowCacheBytes: 0)
        try await trainer.register()
        try await trainer.create("whole")
        let whole = try await trainer.harness.events("whole")
        #expect(whole.states.last == .succeeded)
        try await trainer.create("broken")
        try await trainer.harness.watch("broken") { $0.step == 1 }
        await datasets.stop()
        try await trainer.harness.watch("broken") { event in
            guard case .progress(let progress)? = event.body else { return event.step == 8 }
            return progress.phase.contains("waiting")
        }
        try datasets.restart()
        let events = try await trainer.harness.events("broken")
        #expect(events.states.last == .succeeded)
        #expect(events.losses == whole.losses)
        await trainer.close()
        await datasets.close()
    }

    @Test func whatCannotWorkIsRefusedBeforeWorkStarts() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        let refused = { @Sendable (change: (inout TrainSpec) -> Void) async -> String? in
            let request = TinyTrainer.request("x", change)
            return await reason { _ = try await client.call(Training.createJob, request) }
        }
        #expect(await refused { $0.model = "models/none" } == "RESOURCE_NOT_FOUND")
        #expect(await refused { $0.model = "none" } == "NAME_INVALID")
        #expect(await refused { $0.datasetVersion = "" } == "FIELD_REQUIRED")
        #expect(
            await refused { $0.datasetVersion = "datasets/cells/versions/9" }
                == "RESOURCE_NOT_FOUND")
        #expect(await refused { $0.adapter = .with { $0.rank = 4_000 } } == "FIELD_INVALID")
        #expect(
            await refused { $0.optimizer = .with { $0.learningRate = 10 } } == "FIELD_INVALID")
        #expect(await refused { $0.epochs = -1 } == "FIELD_INVALID")
        #expect(
            await refused {
                $0.parts = [
                    .with { ($0.part, $0.targetModules) = (.languageModel, ["q_porj"]) }
                ]
            } == "TARGET_UNKNOWN")
        #expect(await refused { $0.force = false } == "ADVISED_AGAINST")
        #expect(await refused { $0.forceReason = "" } == "FIELD_REQUIRED")
        #expect(await refused { $0.servingRankMax = 2 } == "FIELD_INVALID")
        #expect(
            await refused { $0.initialAdapter = "jobs/nobody/checkpoints/last" }
                == "RESOURCE_NOT_FOUND")
        let listed = try await client.call(Training.listJobs, ListJobsRequest())
        #expect(listed.jobs.isEmpty)
        await trainer.close()
        await datasets.close()
    }

    @Test func aVersionWithoutValidationRowsIsRefused() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze("few", rows: 4, shares: (0, 0))
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let client = trainer.client
        let seen = await reason {
            _ = try await client.call(
                Training.createJob,
                TinyTrainer.request("x") { $0.datasetVersion = "datasets/few/versions/latest" })
        }
        #expect(seen == "SPLIT_TOO_SMALL")
        await trainer.close()
        await datasets.close()
    }

    @Test func aPreviewShowsWhatIsLearned() async throws {
        let datasets = try await TinyDatasets()
        try await datasets.freeze()
        let trainer = try await TinyTrainer(datasets)
        try await trainer.register()
        let spec = TinyTrainer.request("x").spec
        let preview = try await trainer.client.call(
            Training.previewExample,
            .with {
                $0.spec = spec
                $0.example = "datasets/cells/examples/r2"
                $0.includePixels = true
            })
        #expect(preview.example == "datasets/cells/examples/r2")
        #expect(preview.problems.isEmpty)
        #expect(preview.tokenIDs.count == Int(preview.tokenCount))
        #expect(preview.spans.reduce(0) { $0 + $1.tokenCount } == preview.tokenCount)
        let images = preview.spans.filter { $0.imageIndex != nil }
        #expect(images.reduce(0) { $0 + $1.tokenCount } == preview.imageTokenCount)
        let learned = preview.spans.filter { $0.lossWeight > 0 }
        #expect(learned.reduce(0) { $0 + $1.tokenCount } == preview.trainedTokenCount)
        #expect(learned.map(\.text).joined().contains("a cat"))
        #expect(!learned.map(\.text).joined().contains("Which"))
        #expect(preview.images.first?.widthPixels == 16)
        #expect(preview.images.first?.pixelsPng.isEmpty == false)
        let client = trainer.client
        #expect(
            await reason {
                _ = try await client.call(
                    Training.previewExample,
                    .with { ($0.spec, $0.example) = (spec, "datasets/cells/examples/none") })
            } == "RESOURCE_NOT_FOUND")
        await trainer.close()
        await datasets.close()
    }
}
