import Base
import Models
import Numerics

/// Evaluations in the course of a run.
extension TrainingRun {
    /// Scores the validation split.
    /// - Returns: nil where somebody asked to stop in the middle of it
    mutating func evaluate() throws(RunError) -> EvaluationMeasures? {
        let began = setup.surroundings.now()
        guard let found = try validationScore() else { return nil }
        var metrics: [String: Double] = [:]
        if let measure = setup.taskMetrics {
            do throws(RowFault) { metrics = try measure(trained, state.step) } catch {
                throw .row(error)
            }
            if control.wish != .goOn { return nil }
        }
        let isImproved = try judge(loss: found.score.mean, metrics)
        let seconds = setup.surroundings.now().seconds(since: began)
        state.evaluatedStep = state.step
        state.runningSeconds += seconds
        state.skippedRows += found.bad.count
        let measures = EvaluationMeasures(
            step: state.step, epoch: epoch, loss: found.score.mean,
            tokenAccuracy: found.score.accuracy, metrics: metrics, isImproved: isImproved,
            rows: setup.facts.validation.count - found.bad.count,
            trainedTokens: found.score.tokens, seconds: seconds, skipped: found.bad)
        log(measures)
        return measures
    }

    private mutating func log(_ measures: EvaluationMeasures) {
        let rate = Double(measures.rows) / max(measures.seconds, 1e-9)
        let metrics = measures.metrics.sorted { $0.key < $1.key }.map {
            LogEntry.Value("eval_\($0.key)", $0.value)
        }
        history.append(
            LogEntry(
                step: measures.step, epoch: measures.epoch,
                [
                    .init("eval_loss", measures.loss),
                    .init("eval_mean_token_accuracy", measures.tokenAccuracy),
                ] + metrics + [
                    .init("eval_runtime", measures.seconds),
                    .init("eval_samples_per_second", rate),
                ]))
    }

    private func validationScore() throws(RunError) -> (score: LossScore, bad: [SkippedRow])? {
        let facts = setup.facts.validation
        let batches = MicroBatches.cut(
            facts.map(\.tokens), tokensMax: setup.recipe.batch.microBatchTokensMax ?? .max)
        let pass = trained.pass(in: setup.model)
        var (score, bad) = (LossScore(), [SkippedRow]())
        var next = batches.first.map { load(Array(facts[$0])) }
        for index in batches.indices {
            guard let rows = next?.rows() else { break }
            next = index + 1 < batches.count ? load(Array(facts[batches[index + 1]])) : nil
            if let outage = rows.outage { throw .row(outage) }
            if setup.recipe.badRows == .fail, let first = rows.bad.first {
                throw .row(first.fault)
            }
            bad += rows.bad.map { SkippedRow($0.id, $0.fault) }
            guard control.wish == .goOn else { return nil }
            guard !rows.inputs.isEmpty else { continue }
            score.add(setup.model.model, rows.inputs, pass, countsChosen: true)
        }
        return (score, bad)
    }

    private func load(_ rows: [RowFacts]) -> RowLoad {
        RowLoad(
            RowLoad.Request(.validation, epoch: 0, rows: rows), from: setup.source, setup.encoder)
    }

    /// Compares with the best so far.
    /// - Returns: whether it is better
    private mutating func judge(
        loss: Double, _ metrics: [String: Double]
    ) throws(RunError) -> Bool {
        let stopping = setup.recipe.earlyStopping
        let known = metrics.merging(["loss": loss]) { $1 }
        guard let value = known[stopping.metric] else {
            throw .metricMissing(name: stopping.metric, known: known.keys.sorted())
        }
        let gain = state.best.map { stopping.wantsMore ? value - $0.value : $0.value - value }
        // A value that is no number improves nothing.
        let isImproved = value.isFinite && gain.map { $0 > stopping.deltaMin } ?? true
        if isImproved {
            state.best = BestMeasure(value: value, step: state.step)
            state.isBestUnsaved = true
            state.evaluationsWithoutImprovement = 0
        } else {
            state.evaluationsWithoutImprovement += 1
        }
        let isTooMany = state.evaluationsWithoutImprovement >= stopping.patience
        if !stopping.isDisabled, isTooMany, state.step < steps { state.hasStoppedEarly = true }
        return isImproved
    }
}
