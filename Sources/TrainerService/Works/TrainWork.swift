import Base
import Evaluation
import Foundation
import Messages
import Models
import Numerics
import Resources
import Training

/// Fine-tuning: rows are fetched and counted, the model is loaded, then the run goes on from its
/// last checkpoint one step, evaluation or checkpoint at a time.
final class TrainWork: JobWork {
    /// What training is made of, found before work begins.
    struct Parts: Sendable {
        let spec: TrainSpec
        let recipe: TrainingRecipe
        let model: ModelRecord
        let shape: ModelShape
        let version: DatasetVersion
        /// The folder of the adapter that training starts from; nil for fresh matrices.
        let start: String?
        let backend: CPUBackend
    }

    private enum Stage {
        case fetching
        case counting(VersionRows, split: Int, row: Int)
        case loading(VersionRows)
        case running(TrainingRun)
    }

    /// Rows counted in one piece.
    private static let rowsPerPiece = 256

    private let order: JobOrder
    private let parts: Parts
    private let library: RowLibrary
    private let encoder: RowEncoder
    private var stage = Stage.fetching
    private var facts = DatasetFacts()
    private var peakBytes = 0
    private var retries = 0
    private var augmented: AugmentedRows?
    private var log: RunLog?

    init(_ order: JobOrder, _ parts: Parts, _ library: RowLibrary) {
        (self.order, self.parts, self.library) = (order, parts, library)
        encoder = RowEncoder(
            parts.shape.model.inputs, parts.recipe, tokensMax: parts.shape.outline.lengthMax)
    }

    // MARK: Before the device works

    func validate() async throws -> WorkTurn {
        switch stage {
        case .fetching: return try await fetch()
        case .counting(let rows, let split, let row): return try count(rows, split, row)
        case .loading(let rows): return try load(rows)
        case .running: return WorkTurn(isLast: true)
        }
    }

    private func fetch() async throws -> WorkTurn {
        let control = order.control
        do {
            for split in [SplitKind.train, .validation]
            where try library.kept(split, of: parts.version) == nil {
                try await library.fetch(split, of: parts.version) { _ in try control.check() }
                return WorkTurn(progress: progress("fetching rows"))
            }
        } catch let error as TrainerError where error.isOutage {
            return try await wait()
        }
        guard let train = try library.kept(.train, of: parts.version),
            let validation = try library.kept(.validation, of: parts.version)
        else { throw RowPackError.damaged(row: 0) }
        if parts.spec.augment == true {
            augmented = AugmentedRows(
                parts.version, library, seed: parts.spec.seed, epochs: parts.recipe.epochs, control)
        }
        let rows = VersionRows(
            parts.version, library, train: train, validation: validation, augmented: augmented)
        stage = .counting(rows, split: 0, row: 0)
        return WorkTurn(progress: progress("counting tokens"))
    }

    /// Waits for the dataset service, longer each time but never long.
    private func wait() async throws -> WorkTurn {
        retries += 1
        try await order.control.sleep(seconds: min(0.1 * Double(1 << min(retries, 6)), 5))
        return WorkTurn(progress: progress("waiting for the dataset service"))
    }

    private func count(_ rows: VersionRows, _ split: Int, _ first: Int) throws -> WorkTurn {
        guard RowSplit.allCases.indices.contains(split) else {
            stage = .loading(rows)
            return WorkTurn(progress: progress("loading the model"))
        }
        let name = RowSplit.allCases[split]
        let end = min(first + Self.rowsPerPiece, rows.count(of: name))
        for index in first..<end {
            switch try encoder.budget(of: try rows.outline(index, of: name), index: index) {
            case .fits(let row): facts[name].append(row)
            case .isOverlong(let row) where parts.recipe.overlength == .skip:
                facts.skipped.append(row)
            case .isOverlong(let row): facts.rejected.append(row)
            }
        }
        let isEnd = end == rows.count(of: name)
        stage = .counting(rows, split: isEnd ? split + 1 : split, row: isEnd ? 0 : end)
        var progress = progress("counting tokens")
        progress.rowCount = UInt64(
            facts.train.count + facts.validation.count + facts.rejected.count
                + facts.skipped.count)
        progress.rowTotal = UInt64(RowSplit.allCases.reduce(0) { $0 + rows.count(of: $1) })
        return WorkTurn(progress: progress)
    }

    private func load(_ rows: VersionRows) throws -> WorkTurn {
        let checked: CheckedRecipe
        do { checked = try parts.recipe.validated(for: parts.shape.outline, rows: facts) } catch {
            throw TrainerError(error)
        }
        let model = try LoadedModel(
            folder: parts.model.folder, checked.recipe.weightPlan, on: parts.backend)
        var setup = RunSetup(
            checked, model, rows: (rows, facts), encoder, origin, .machine(parts.backend))
        let checkpoints = "\(order.folder)/checkpoints"
        try FileManager.default.createDirectory(
            atPath: checkpoints, withIntermediateDirectories: true)
        let store = CheckpointStore(checkpoints)
        setup.store = store
        setup.start = try parts.start.map { .adapter(try Adapter(folder: $0, for: model)) }
        if parts.spec.generatedRows > 0 {
            let scores = try GeneratedScores(parts, rows, model, order.control)
            setup.taskMetrics = { (weights, _) throws(RowFault) in try scores(weights) }
        }
        let last = store.resolved("last")
        let saved = try last.map { (name) throws(CheckpointError) in
            try SavedCheckpoint(name, in: store)
        }
        let run = try TrainingRun(setup, resuming: saved)
        let control = run.control
        order.control.onWant { wish in control.ask(wish == .cancel ? .cancel : .pause) }
        stage = .running(run)
        var events = skipped()
        log = RunLog("\(order.folder)/artifacts/log", after: run.state.step) { problem in
            events.append(.warning(.with { $0.problem = problem }))
        }
        return WorkTurn(
            events: events + (saved.map { [told($0, in: store)] } ?? []),
            progress: progress("training"), isLast: true)
    }

    private var origin: RunOrigin {
        let version = parts.version
        return RunOrigin(
            baseDigest: parts.model.message.modelSha256, baseFolder: parts.model.folder,
            facts: [
                "model": "\(parts.model.name)", "dataset_version": version.name,
                "dataset_version_sha256": version.contentSha256, "job": "\(order.name)",
                "preprocess_sha256": parts.model.message.preprocessSha256,
                "template_sha256": parts.model.message.preprocess?.templateSha256 ?? "",
            ])
    }

    /// Rows that the policy leaves out, in one warning.
    private func skipped() -> [JobEvent.Body] {
        guard !facts.skipped.isEmpty else { return [] }
        var warning = WarningEvent()
        warning.examples = Array(
            facts.skipped.map(\.id).prefix(TrainerLimits.warningsMax))
        warning.problem = Problem(
            .contextExceeded, field: "spec.train.overlength_policy",
            seen: "\(facts.skipped.count) rows",
            allowed: "up to \(encoder.tokensMax) tokens",
            "\(facts.skipped.count) rows are longer than the context and left out")
        return [.warning(warning)]
    }

    // MARK: Work

    func advance() async throws -> WorkTurn {
        guard case .running(var run) = stage else { throw JobControl.Interrupted() }
        // Moved out, so that the run has one owner while it changes.
        stage = .fetching
        defer { stage = .running(run) }
        let event: RunEvent
        do throws(RunError) { event = try run.advance() } catch {
            guard case .row(let fault) = error, !fault.isOfRow else { throw error }
            stage = .running(run)
            return try await wait()
        }
        retries = 0
        return try turn(event, run)
    }

    private func turn(_ event: RunEvent, _ run: TrainingRun) throws -> WorkTurn {
        var turn = WorkTurn(progress: progress(of: run))
        switch event {
        case .step(let measures):
            peakBytes = max(peakBytes, measures.peakBytes)
            turn.events = [.step(Messages.StepMeasures(measures))] + measures.warnings
            if measures.trainedTokens > 0 { turn.events += logged(run) }
        case .evaluation(let measures):
            turn.progress?.phase = "evaluating"
            turn.events = [.evaluation(EvaluationEvent(measures))] + overfitting(run)
            turn.events += logged(run)
        case .checkpoint(let record):
            turn.events = [.checkpoint(message(record))]
        case .stopped(.finished): turn.isLast = true
        case .stopped(.stoppedEarly(let evaluations)):
            turn.events = [.warning(.stoppedEarly(run.state.step, evaluations))]
            turn.isLast = true
        case .stopped(.diverged(let divergence)): throw Diverged(divergence)
        case .stopped(.paused), .stopped(.cancelled): throw JobControl.Interrupted()
        }
        return turn
    }

    /// Writes the newest line of the history to the log; a warning where that fails.
    private func logged(_ run: TrainingRun) -> [JobEvent.Body] {
        guard let problem = log?.write(run.history.last) else { return [] }
        return [
            .warning(.with { ($0.step, $0.problem) = (UInt64(run.state.step), problem) })
        ]
    }

    /// A warning where the train loss falls while that of the validation rows does not.
    private func overfitting(_ run: TrainingRun) -> [JobEvent.Body] {
        func points(_ name: String) -> [LossWatch.Point] {
            run.history.compactMap { entry in
                entry[name].map { LossWatch.Point(step: entry.step, loss: $0) }
            }
        }
        let evidence = LossWatch().check(
            train: points("loss"), validation: points("eval_loss"))
        guard let evidence else { return [] }
        var warning = WarningEvent()
        warning.step = UInt64(run.state.step)
        warning.evidence = evidence.estimates.map { Measure($0) }
        warning.problem = Problem(
            .overfitting, field: "spec.train.epochs", seen: "\(evidence.validationLoss)",
            allowed: "\(evidence.bestValidationLoss), the best, of step \(evidence.bestStep)",
            "the train loss falls while that of the validation rows does not; the best checkpoint"
                + " is kept")
        return [.warning(warning)]
    }

    func save() throws -> [JobEvent.Body] {
        guard case .running(var run) = stage else { return [] }
        stage = .fetching
        defer { stage = .running(run) }
        run.control.ask(.pause)
        var events: [JobEvent.Body] = []
        while case .checkpoint(let record) = try run.advance() {
            events.append(.checkpoint(message(record)))
        }
        return events
    }

    func result() throws -> WorkResult {
        augmented?.clear()
        var result = WorkResult()
        result.peakDeviceBytes = UInt64(peakBytes)
        let store = CheckpointStore("\(order.folder)/checkpoints")
        guard let best = store.path(of: "best") ?? store.path(of: "last") else { return result }
        let artifact = try ArtifactFiles(
            folder: best, kind: parts.recipe.method == .full ? .model : .adapter)
        var lineage = self.lineage
        lineage.checkpoint = "\(order.name)/checkpoints/\(best.split(separator: "/").last ?? "")"
        lineage.adapterSha256 = artifact.weightsDigest
        result.lineage = lineage
        result.artifacts = [artifact.summary(named: "\(order.name)/artifacts/result", lineage)]
        if let log, case .running(let run) = stage {
            let files = try log.finished(run.trainerState(run.state))
            result.artifacts.append(
                files.summary(named: "\(order.name)/artifacts/log", self.lineage))
        }
        return result
    }

    private var lineage: Lineage {
        Lineage(
            parts.model.message, parts.version, job: order.name, seed: parts.spec.seed,
            base: parts.recipe.method == .qlora ? .nf4 : .unspecified)
    }

    // MARK: What is told

    private func progress(_ phase: String) -> JobProgress { .with { $0.phase = phase } }

    private func progress(of run: TrainingRun) -> JobProgress {
        var progress = progress("training")
        let state = run.state
        (progress.step, progress.stepCount) = (UInt64(state.step), UInt64(run.steps))
        progress.epoch = run.epoch
        progress.doneShare = Double(state.step) / Double(max(run.steps, 1))
        progress.inputWaitShare = state.inputWaitShare
        progress.skippedRowCount = UInt64(state.skippedRows)
        progress.tokenCount = UInt64(state.totalTokens)
        if state.step > 0, state.runningSeconds > 0 {
            let seconds =
                state.runningSeconds / Double(state.step) * Double(run.steps - state.step)
            progress.expectedEndTime = .init(
                nanoseconds: WallClock.nanoseconds() + Int64(seconds * 1e9))
        }
        return progress
    }

    private func message(_ record: CheckpointRecord) -> Messages.Checkpoint {
        var message = Messages.Checkpoint()
        message.name = "\(order.name)/checkpoints/\(record.name)"
        (message.step, message.epoch) = (UInt64(record.step), record.epoch)
        (message.best, message.last) = (record.isBest, true)
        message.adapterSha256 = record.weightsDigest
        message.sizeBytes = UInt64(record.byteCount)
        message.resumable = true
        message.createTime = .init(nanoseconds: WallClock.nanoseconds())
        message.lineage = lineage
        return message
    }

    /// A checkpoint that was written, perhaps just before a kill kept its writer from saying so.
    private func told(_ saved: SavedCheckpoint, in store: CheckpointStore) -> JobEvent.Body {
        var message = Messages.Checkpoint()
        message.name = "\(order.name)/checkpoints/\(saved.name)"
        message.step = UInt64(saved.step)
        (message.best, message.last) = (store.resolved("best") == saved.name, true)
        message.adapterSha256 =
            saved.files.map { file in
                ModelFile.with { ($0.path, $0.contentSha256) = (file.name, file.sha256) }
            }.weightsDigest
        message.sizeBytes = saved.files.reduce(0) { $0 + UInt64($1.bytes) }
        message.resumable = true
        message.createTime = .init(nanoseconds: WallClock.nanoseconds())
        message.lineage = lineage
        return .checkpoint(message)
    }
}

/// A step that must not be taken ends the job.
struct Diverged: Failure {
    let divergence: Divergence

    init(_ divergence: Divergence) { self.divergence = divergence }

    var kind: FailureKind { .conflict }
    var reason: String { "DIVERGED" }
    var message: String { divergence.message }
}
