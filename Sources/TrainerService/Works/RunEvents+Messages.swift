import Messages
import Training

extension Messages.StepMeasures {
    init(_ measures: RunStepMeasures) {
        self.init()
        (step, epoch, loss) = (UInt64(measures.step), measures.epoch, measures.loss)
        (learningRate, gradientNorm) = (measures.learningRate, measures.gradientNorm)
        trainedTokens = UInt64(measures.trainedTokens)
        totalTokens = UInt64(measures.totalTokens)
        (stepSeconds, inputWaitSeconds) = (measures.seconds, measures.inputWaitSeconds)
        peakDeviceBytes = UInt64(measures.peakBytes)
        tokenAccuracy = measures.tokenAccuracy
    }
}

extension RunStepMeasures {
    /// Rows that were left out, each with what is wrong.
    var warnings: [JobEvent.Body] {
        skipped.map { row in
            var warning = WarningEvent()
            (warning.step, warning.examples) = (UInt64(step), [row.id])
            warning.problem = Problem(
                .imageUnreadable, field: row.id, seen: row.reason,
                allowed: "a row that is readable",
                row.why)
            return .warning(warning)
        }
    }
}

extension EvaluationEvent {
    init(_ evaluation: EvaluationMeasures) {
        self.init()
        (step, epoch) = (UInt64(evaluation.step), evaluation.epoch)
        improved = evaluation.isImproved
        var loss = Measure()
        (loss.name, loss.value, loss.unit) = ("loss", evaluation.loss, "nats")
        (loss.sampleCount, loss.higherIsBetter) = (UInt64(evaluation.rows), false)
        var accuracy = Measure()
        (accuracy.name, accuracy.value) = ("token_accuracy", evaluation.tokenAccuracy)
        (accuracy.sampleCount, accuracy.higherIsBetter) = (
            UInt64(evaluation.trainedTokens), true
        )
        measures =
            [loss, accuracy]
            + evaluation.metrics.sorted { $0.key < $1.key }.map { name, value in
                .with {
                    ($0.name, $0.value) = (name, value)
                    $0.sampleCount = UInt64(evaluation.rows)
                }
            }
    }
}

extension WarningEvent {
    static func stoppedEarly(_ step: Int, _ evaluations: Int) -> WarningEvent {
        var warning = WarningEvent()
        (warning.step, warning.stopsJob) = (UInt64(step), true)
        warning.problem = Problem(
            .overfitting, field: "spec.train.early_stopping",
            "\(evaluations) evaluations brought no improvement; the best checkpoint is kept")
        return warning
    }
}

extension Lineage {
    init(
        _ model: RegisteredModel, _ version: DatasetVersion, job: JobName, seed: UInt64,
        base: Messages.WeightFormat
    ) {
        self.init()
        (self.model, modelSha256) = (model.name, model.modelSha256)
        baseWeightFormat = base == .unspecified ? model.weightFormat : base
        (datasetVersion, datasetVersionSha256) = (version.name, version.contentSha256)
        self.job = "\(job)"
        preprocessSha256 = model.preprocessSha256
        templateSha256 = model.preprocess?.templateSha256 ?? ""
        (self.seed, programVersion) = (seed, ProgramVersion.text)
    }
}
