import Base
import Layers
import Models
import Numerics

/// A training run, advanced from outside one step, evaluation or checkpoint at a time.
///
///     while true {
///         let event = try run.advance()
///         if case .stopped = event { break }
///     }
///
/// It starts no thread but that which loads the rows of the next step. Between two calls all that
/// it has reached is in its state; a call that throws leaves that as it was.
package struct TrainingRun {
    let setup: RunSetup
    /// Asks it to pause or to end, from any thread.
    package let control = RunControl()
    private var step: TrainingStep
    private var order: RunOrder
    private let schedule: Schedule
    private let weights: TrainedWeights
    let rowsDigest: String
    /// What was reached.
    package internal(set) var state: RunState
    /// What was logged, by transformers' names.
    package internal(set) var history: [LogEntry]
    /// Why it will not go on, once it is known.
    private var ending: RunEnding?
    /// The state as the last checkpoint has it.
    var savedState: RunState?
    private var loads: [Int: RowLoad] = [:]

    /// Begins a run, or goes on from a checkpoint with the same bits as if it had never stopped.
    /// - Parameter checkpoint: of this recipe, base and rows; nil for the beginning
    package init(
        _ setup: RunSetup, resuming checkpoint: SavedCheckpoint? = nil
    ) throws(RunError) {
        let recipe = setup.recipe
        guard !setup.facts.train.isEmpty, recipe.batch.rowsPerStep > 0 else {
            throw .unusable(field: "train rows", seen: "none", allowed: "one row at least")
        }
        self.setup = setup
        rowsDigest = setup.rowsDigest
        order = RunOrder(lengths: setup.facts.train.map(\.tokens), recipe)
        schedule = recipe.schedule(steps: order.steps)
        do throws(AdapterError) {
            if let start = setup.start {
                weights = start
            } else {
                weights = try TrainedWeights(startOf: recipe, in: setup.model)
            }
        } catch {
            throw .adapter(error)
        }
        step = TrainingStep(
            setup.model.model, weights.trained(in: setup.model), from: weights.values, recipe.adamW)
        step.options = recipe.stepOptions
        (state, history) = (RunState(), [])
        setup.store?.sweep()
        if let checkpoint {
            do throws(CheckpointError) { try restore(checkpoint) } catch {
                throw .checkpoint(error)
            }
        }
    }

    /// Steps of the whole run.
    package var steps: Int { order.steps }
    /// Steps of one pass over the train split.
    package var stepsPerEpoch: Int { order.stepsPerEpoch }
    /// Passes done over the train split.
    package var epoch: Double { order.epochs(after: state.step) }
    /// What is trained, as it is now.
    package var trained: TrainedWeights { weights.with(step.values) }
    /// Bytes of the optimiser's state.
    package var optimiserBytes: Int { step.state.byteCount }

    var optimiser: AdamW { setup.recipe.adamW }
    var optimiserState: OptimiserState { step.state }

    private mutating func restore(_ saved: SavedCheckpoint) throws(CheckpointError) {
        try saved.check(base: setup.origin.baseDigest, rows: rowsDigest, setup.recipe)
        let values = try weights.restored(from: saved, in: setup.model).values
        let tensors = try saved.optimiserTensors(on: setup.model.model.backend)
        do throws(SavedStateError) {
            step.restore(
                values, try optimiser.restored(saved.run.optimiser, tensors, for: values))
        } catch {
            throw .optimiser(error)
        }
        (state, history, savedState) = (saved.run.state, saved.history, saved.run.state)
    }

    /// Does the next thing: a step, the evaluation or checkpoint that is due, or nothing where the
    /// run has stopped.
    package mutating func advance() throws(RunError) -> RunEvent {
        while true {
            if let ending { return .stopped(ending) }
            switch control.wish {
            case .cancel: return stop(.cancelled)
            case .pause: return try pause()
            case .goOn: break
            }
            if isEvaluationDue {
                if let measures = try evaluate() { return .evaluation(measures) }
            } else if isCheckpointDue {
                return .checkpoint(try checkpoint())
            } else if state.hasStoppedEarly {
                return stop(.stoppedEarly(evaluations: state.evaluationsWithoutImprovement))
            } else if state.step == steps {
                return stop(.finished)
            } else if let event = try takeStep() {
                return event
            }
        }
    }

    private mutating func stop(_ ending: RunEnding) -> RunEvent {
        self.ending = ending
        loads = [:]
        return .stopped(ending)
    }

    /// A pause is no ending: whoever asks the control to go on may advance again.
    private mutating func pause() throws(RunError) -> RunEvent {
        loads = [:]
        guard setup.store != nil, state != savedState, state.step > 0 else {
            return .stopped(.paused)
        }
        return .checkpoint(try checkpoint())
    }
}

/// What is due.
extension TrainingRun {
    private var isAtEnd: Bool { state.step == steps || state.hasStoppedEarly }

    private func isDue(every interval: Int) -> Bool {
        guard state.step > 0 else { return false }
        return state.step % stepsPerEpoch == 0 || isAtEnd
            || (interval > 0 && state.step % interval == 0)
    }

    private var isEvaluationDue: Bool {
        state.evaluatedStep < state.step && isDue(every: setup.recipe.evaluationIntervalSteps)
    }

    private var isCheckpointDue: Bool {
        guard setup.store != nil else { return false }
        if state.isBestUnsaved { return true }
        // One that a pause wrote between a step and its evaluation lacks the evaluation.
        let saved = savedState ?? RunState()
        return isDue(every: setup.recipe.checkpointIntervalSteps)
            && (saved.step < state.step || saved.evaluatedStep < state.evaluatedStep)
    }
}

/// A step.
extension TrainingRun {
    /// - Returns: nil where somebody asked to stop in the middle of it
    private mutating func takeStep() throws(RunError) -> RunEvent? {
        let began = setup.surroundings.now()
        let rows = try arrived()
        let waited = setup.surroundings.now().seconds(since: began)
        if state.step + 1 < steps { load(state.step + 1) }
        let rate = schedule.learningRate(state.step)
        let batches = MicroBatches.cut(
            rows.inputs.map(\.ids.count),
            tokensMax: setup.recipe.batch.microBatchTokensMax ?? .max)
        step.options.refusedNorm = state.watch.normMax.map { Float($0) }
        let control = control
        let result = step.run(
            batches.map { Array(rows.inputs[$0]) }, learningRate: rate,
            key: RandomKey(seed: setup.recipe.seed).child("step").child(state.step),
            goesOn: { control.wish == .goOn })
        guard let result else { return nil }
        loads[state.step] = nil
        guard result.isTaken else { return stop(.diverged(divergence(result, rows.ids))) }
        let tokens = rows.inputs.reduce(0) { $0 + $1.ids.count }
        let seconds = setup.surroundings.now().seconds(since: began)
        count(result, tokens: tokens, skipped: rows.bad.count, (seconds, waited))
        let measures = StepMeasures(
            step: state.step, epoch: epoch, loss: result.loss, learningRate: rate,
            gradientNorm: result.gradientNorm, trainedTokens: result.trainedTokens,
            totalTokens: tokens,
            tokenAccuracy: Double(result.chosenTokens) / Double(max(result.trainedTokens, 1)),
            seconds: seconds, inputWaitSeconds: waited,
            peakBytes: setup.surroundings.peakBytes(), microBatches: batches.count,
            skipped: rows.bad.map { SkippedRow($0.id, $0.fault) })
        log(measures)
        return .step(measures)
    }

    private mutating func count(
        _ result: StepResult, tokens: Int, skipped: Int, _ time: (all: Double, waited: Double)
    ) {
        state.step += 1
        state.trainedTokens += result.trainedTokens
        state.totalTokens += tokens
        state.skippedRows += skipped
        state.runningSeconds += time.all
        state.inputWaitSeconds += time.waited
        if result.trainedTokens > 0 { state.watch.note(result.gradientNorm) }
    }

    private mutating func log(_ measures: StepMeasures) {
        guard measures.trainedTokens > 0 else { return }
        history.append(
            LogEntry(
                step: measures.step, epoch: measures.epoch,
                [
                    .init("grad_norm", measures.gradientNorm),
                    .init("learning_rate", measures.learningRate), .init("loss", measures.loss),
                    .init("mean_token_accuracy", measures.tokenAccuracy),
                ]))
    }

    private func divergence(_ result: StepResult, _ rows: [String]) -> Divergence {
        Divergence(
            step: state.step + 1, loss: result.loss, gradientNorm: result.gradientNorm,
            gradientNormMax: state.watch.normMax, tensors: result.notFinite, rows: rows)
    }

    /// The rows of the present step.
    private mutating func arrived() throws(RunError) -> RowLoad.Rows {
        load(state.step)
        guard let rows = loads[state.step]?.rows() else { return RowLoad.Rows() }
        if let outage = rows.outage {
            // Asked for anew at the next call; what came is not enough.
            loads = [:]
            throw .row(outage)
        }
        if setup.recipe.badRows == .fail, let bad = rows.bad.first {
            // Read anew at the next call: somebody may have mended the row.
            loads = [:]
            throw .row(bad.fault)
        }
        return rows
    }

    /// Begins to load the rows of a step, if nobody has.
    private mutating func load(_ step: Int) {
        guard loads[step] == nil else { return }
        let rows = order.rows(of: step).map { setup.facts.train[$0] }
        let request = RowLoad.Request(.train, epoch: order.epoch(of: step), rows: rows)
        loads[step] = RowLoad(request, from: setup.source, setup.encoder)
    }
}
