import Base
import Messages
import Models
import Resources
import Storage
import Training

/// A few steps of a job, run on the device to learn how long it will take.
struct MeasuredSteps: Sendable {
    /// Steps that are timed, after one that warms up.
    private static let steps = 3

    let secondsPerToken: Double

    /// Runs them. Nothing is kept.
    init(_ shop: TrainerShop, _ parts: TrainWork.Parts) async throws {
        try await Self.check(shop)
        for split in [SplitKind.train, .validation]
        where try shop.library.kept(split, of: parts.version) == nil {
            try await shop.library.fetch(split, of: parts.version) { _ in
                try Task.checkCancellation()
            }
        }
        guard let train = try shop.library.kept(.train, of: parts.version),
            let validation = try shop.library.kept(.validation, of: parts.version)
        else { throw RowPackError.damaged(row: 0) }
        let rows = VersionRows(parts.version, shop.library, train: train, validation: validation)
        let encoder = RowEncoder(
            parts.shape.model.inputs, parts.recipe, tokensMax: parts.shape.outline.lengthMax)
        let facts = try encoder.facts(of: rows)
        let checked: CheckedRecipe
        do { checked = try parts.recipe.validated(for: parts.shape.outline, rows: facts) } catch {
            throw TrainerError(error)
        }
        let model = try LoadedModel(
            folder: parts.model.folder, checked.recipe.weightPlan, on: parts.backend)
        let setup = RunSetup(
            checked, model, rows: (rows, facts), encoder,
            RunOrigin(baseDigest: "", baseFolder: parts.model.folder), .machine(parts.backend))
        var run = try TrainingRun(setup)
        var (seconds, tokens, done) = (0.0, 0, 0)
        while done <= Self.steps {
            try Task.checkCancellation()
            let event = try run.advance()
            if case .stopped = event { break }
            guard case .step(let step) = event else { continue }
            if done > 0 || run.steps == 1 {
                (seconds, tokens) = (seconds + step.seconds, tokens + step.totalTokens)
            }
            done += 1
        }
        secondsPerToken = seconds / Double(max(tokens, 1))
    }

    /// Jobs come first: what is at work is not slowed down.
    private static func check(_ shop: TrainerShop) async throws {
        let busy = try await shop.registry.store.reader.read { db in
            try db.jobs(
                "WHERE state IN (?, ?)", SQLValue(Int(JobState.running.rawValue)),
                SQLValue(Int(JobState.validating.rawValue))
            ).first?.name
        }
        if let busy {
            throw ResourceError.badState(
                name: "\(busy)",
                why: "it has the device, so nothing can be measured; wait for its end or pause it")
        }
    }
}
