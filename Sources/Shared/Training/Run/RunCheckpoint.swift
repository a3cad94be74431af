import Base
import Digests
import Models
import Numerics

/// Checkpoints of a run.
extension TrainingRun {
    /// Writes the state as it is. What goes wrong leaves the run, and the checkpoint before, as
    /// they were.
    mutating func checkpoint() throws(RunError) -> CheckpointRecord {
        guard let store = setup.store else { preconditionFailure("checkpoint: nowhere to write") }
        let isBest = state.isBestUnsaved
        var next = state
        next.checkpointedStep = state.step
        next.isBestUnsaved = false
        let (saved, weights) = (optimiser.saved(optimiserState), trained)
        do throws(CheckpointError) {
            let written = try store.write(
                step: state.step, isBest: isBest, kept: setup.recipe.checkpointsKept
            ) { (draft, name) throws(CheckpointError) in
                if isBest { next.best?.checkpoint = name }
                let run = SavedRun(
                    base: setup.origin.baseDigest, rows: rowsDigest, recipe: setup.recipe,
                    state: next, optimiser: saved.numbers)
                try weights.write(
                    to: draft, setup.model, base: setup.origin.baseFolder,
                    provenance: provenance(next))
                try draft.write(saved.tensors, as: SavedCheckpoint.optimiser)
                try draft.write(run.json(), as: SavedRun.file)
                try draft.write(trainerState(next).json(), as: SavedCheckpoint.trainerState)
            }
            (state, savedState) = (next, next)
            return CheckpointRecord(
                name: written.name, step: state.step, epoch: epoch, isBest: isBest,
                weightsDigest: Self.weightsDigest(written.files),
                byteCount: written.files.reduce(0) { $0 + $1.bytes }, removed: written.removed)
        } catch {
            throw .checkpoint(error)
        }
    }

    /// `trainer_state.json` of a state.
    package func trainerState(_ state: RunState) -> TrainerState {
        var records = TrainerState()
        (records.step, records.epoch) = (state.step, epoch)
        (records.steps, records.epochs) = (steps, setup.recipe.epochs)
        records.evaluationInterval = setup.recipe.evaluationIntervalSteps
        records.checkpointInterval = setup.recipe.checkpointIntervalSteps
        records.rowsPerStep = setup.recipe.batch.rowsPerStep
        (records.tokens, records.best, records.history) = (state.totalTokens, state.best, history)
        return records
    }

    /// The digest of the files that hold weights: that of the file where it is one.
    private static func weightsDigest(_ files: [CheckpointFile]) -> String {
        let weights = files.filter {
            $0.name.hasSuffix(".safetensors") && $0.name != SavedCheckpoint.optimiser
        }
        guard weights.count > 1 else { return weights.first?.sha256 ?? "" }
        let lines = weights.map { "\($0.sha256)  \($0.name)\n" }.joined()
        return Array(lines.utf8).withUnsafeBytes { SHA256.digest($0) }.hex
    }

    /// What `fovea.json` says: all that decided what these weights are.
    private func provenance(_ state: RunState) -> Bytes {
        let recipe = setup.recipe
        var json = JSONText()
        json.object { json in
            json.member("format", "fovea.adapter.v1")
            json.member("base_digest", setup.origin.baseDigest)
            json.member("rows_digest", rowsDigest)
            json.member("method", recipe.method.rawValue)
            json.member("precision", (recipe.batch.precision ?? .bfloat16).rawValue)
            if recipe.method == .qlora {
                json.key("base_quantization")
                json.object { json in
                    json.member("format", "nf4")
                    json.member("block_size", recipe.adapter.nf4Block)
                    json.member("double_quantization", recipe.adapter.isDoubleQuantised)
                }
            }
            json.member("seed", String(recipe.seed))
            json.member("step", state.step)
            json.member("epoch", epoch)
            json.member("trained_tokens", state.trainedTokens)
            json.key("evaluation")
            json.object { json in
                for value in history.last(where: { $0["eval_loss"] != nil })?.values ?? [] {
                    json.member(value.name, value.number)
                }
            }
            json.key("lineage")
            json.object { json in
                for (name, value) in setup.origin.facts.sorted(by: { $0.key < $1.key }) {
                    json.member(name, value)
                }
            }
        }
        json.newline()
        return Bytes(json.utf8)
    }
}
