import Base
import Foundation
import Glibc
import Models
import Numerics
import Testing
import Text

@testable import Training

/// What is on the disk, and when.
struct CheckpointTests {
    static let files = [
        "adapter_model.safetensors", "optimizer.safetensors", "run.json", "trainer_state.json",
        "checkpoint.json",
    ]

    @Test(arguments: files)
    func aFullDiskLeavesTheCheckpointBeforeAndTheRunGoesOnLater(file: String) throws {
        let folder = try TrainingFolder()
        var tiny = ResumeTests.tiny()
        tiny.recipe.checkpointIntervalSteps = 1
        var uninterrupted = try tiny.start()
        _ = try uninterrupted.finish()
        let full = Lock<String?>(nil)
        var store = CheckpointStore(folder.path)
        store.faultBefore = { name in
            full.with { $0 } == name ? SystemError(code: ENOSPC) : nil
        }
        tiny.store = store
        var run = try tiny.start()
        while run.state.checkpointedStep < 2 { _ = try run.advance() }
        let before = folder.names
        full.with { $0 = file }
        let failed = #expect(throws: RunError.self) { _ = try run.finish() }
        #expect(failed?.kind == .exhausted)
        #expect(folder.names == before)
        #expect(try SavedCheckpoint("last", in: store).step == 2)
        full.with { $0 = nil }
        #expect(try run.finish() == .finished)
        #expect(run.bits == uninterrupted.bits)
    }

    @Test func bestAndLastAreKeptAndOldOnesGo() throws {
        let folder = try TrainingFolder()
        var tiny = ResumeTests.tiny()
        tiny.recipe.checkpointIntervalSteps = 1
        tiny.recipe.checkpointsKept = 1
        tiny.store = CheckpointStore(folder.path)
        // Step 2 is the best one, though training goes on.
        tiny.recipe.earlyStopping.metric = "accuracy"
        tiny.taskMetrics = { _, step in ["accuracy": step == 2 ? 0.9 : 0.1] }
        var run = try tiny.start()
        var records: [CheckpointRecord] = []
        _ = try run.finish { if case .checkpoint(let record) = $0 { records.append(record) } }
        #expect(records.map(\.step) == [1, 2, 3, 4, 5, 6])
        #expect(records.filter(\.isBest).map(\.step) == [2])
        #expect(
            folder.names == ["best", "checkpoint-2", "checkpoint-5", "checkpoint-6", "last"])
        let store = try #require(tiny.store)
        #expect(store.resolved("best") == "checkpoint-2")
        #expect(store.resolved("last") == "checkpoint-6")
        #expect(records.flatMap(\.removed) == ["checkpoint-1", "checkpoint-3", "checkpoint-4"])
        let adapter = try Adapter(folder: try #require(store.path(of: "last")), for: tiny.model)
        #expect(adapter.parameters.names == run.trained.values.names)
        #expect(Set(records.map(\.weightsDigest)).count == 6)
    }

    @Test func theFolderIsWhatPEFTAndTransformersName() throws {
        let folder = try TrainingFolder()
        var tiny = ResumeTests.tiny()
        tiny.store = CheckpointStore(folder.path)
        var run = try tiny.start()
        _ = try run.finish()
        let last = "\(folder.path)/last"
        let names = try FileManager.default.contentsOfDirectory(atPath: last)
        #expect(
            Set(names) == Set(Self.files + ["adapter_config.json", "fovea.json"]))
        let state = try JSONDocument(SmallFile.read("\(last)/trainer_state.json").get()).root
        #expect(state["global_step"]?.int == 6)
        #expect(state["max_steps"]?.int == 6)
        #expect(state["epoch"]?.double == 2)
        #expect(state["best_metric"]?.double == run.state.best?.value)
        #expect(state["best_model_checkpoint"]?.string == run.state.best?.checkpoint)
        let log = try #require(state["log_history"])
        #expect(log.elements.compactMap { $0["loss"]?.double } == run.curve("loss"))
        #expect(log.elements.compactMap { $0["eval_loss"]?.double } == run.curve("eval_loss"))
        let lineage = try JSONDocument(SmallFile.read("\(last)/fovea.json").get()).root
        #expect(lineage["base_digest"]?.string == "base-1")
        #expect(lineage["seed"]?.string == "7")
        #expect(lineage["step"]?.int == 6)
    }

    @Test func aCheckpointThatNoLinkLeadsToGivesItsNameUp() throws {
        let folder = try TrainingFolder()
        var tiny = ResumeTests.tiny()
        tiny.store = CheckpointStore(folder.path)
        // Renamed, but not yet linked, when the process ended.
        let orphan = "\(folder.path)/checkpoint-3"
        try FileManager.default.createDirectory(
            atPath: orphan, withIntermediateDirectories: true)
        var run = try tiny.start()
        while run.state.checkpointedStep < 3 { _ = try run.advance() }
        #expect(tiny.store?.resolved("last") == "checkpoint-3")
        _ = try SavedCheckpoint("last", in: try #require(tiny.store))
    }
}
