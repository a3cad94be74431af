import Evaluation
import Messages
import Quality
import Resources

/// The answers to one way of asking, scored.
struct ScoredVariant {
    let scores: AnswerScores
    private var predictions: [Prediction]
    private let parts: MeasureWork.Parts
    private let rows: [StreamedExample]
    private let bootstrap: Bootstrap

    init(
        _ answers: [Prediction], _ parts: MeasureWork.Parts, _ rows: [StreamedExample]
    ) throws {
        let limit = parts.plan.measuring.abstainConfidence
        bootstrap = try parts.bootstrap()
        scores = try AnswerScores(
            answers.map { answer in
                // An answer that is not sure enough goes to a person: it is none here.
                let isSure = answer.confidence >= limit
                return AnswerScores.Pair(
                    expected: answer.expected, answer: isSure ? answer.answer : "")
            }, parts.version, bootstrap)
        (self.parts, self.rows, predictions) = (parts, rows, answers)
        for index in predictions.indices {
            predictions[index].score = scores.rows[index]
            predictions[index].wellFormed = scores.isWellFormed[index]
            predictions[index].wrongPointers = scores.wrongPointers[index]
        }
    }

    /// The value of the main metric.
    var main: Double { scores.estimates.first?.value ?? 0 }

    var measures: [Measure] {
        (scores.estimates + [scores.format(level: bootstrap.level)].compactMap { $0 })
            .map { Measure($0) }
    }

    /// The evaluation with its rows.
    func stored(named name: String) throws -> StoredEvaluation {
        var evaluation = Messages.Evaluation()
        (evaluation.name, evaluation.target) = (name, parts.target)
        evaluation.datasetVersion = parts.version.name
        evaluation.split = parts.plan.split.plainName.lowercased()
        let split = parts.version.splits.first { $0.split == parts.plan.split }
        evaluation.splitSha256 = split?.splitSha256 ?? ""
        evaluation.measuring = parts.plan.measuring
        evaluation.mainMetric = scores.estimates.first?.name ?? ""
        evaluation.measures = measures
        if let report = scores.classification { describe(report, &evaluation) }
        evaluation.fields = scores.fields.map { line in
            .with {
                $0.pointer = line.pointer
                $0.accuracy = Measure("accuracy", line.accuracy)
                $0.missing = Measure("missing", line.missing)
                $0.invented = Measure("invented", line.invented)
                $0.boxOverlap = line.overlap.map { Measure($0) }
                $0.supportCount = UInt64(line.accuracy.trials)
            }
        }
        evaluation.slices = try slices()
        evaluation.calibrations = [try calibration()]
        evaluation.failures = failures()
        evaluation.rowCount = UInt64(predictions.count)
        evaluation.servingPath = true
        if predictions.count < TuningAdvice.testRowsMin {
            evaluation.warnings = [
                Problem(
                    .unspecified, field: "split", seen: "\(predictions.count) rows",
                    allowed: "\(TuningAdvice.testRowsMin) or more",
                    "\(predictions.count) rows are few: intervals are wide")
            ]
        }
        return StoredEvaluation(
            evaluation: evaluation, predictions: predictions, isBaseline: parts.plan.isBaseline)
    }

    private func describe(
        _ report: ClassificationReport, _ evaluation: inout Messages.Evaluation
    ) {
        evaluation.classes = report.classes.map { line in
            .with {
                ($0.name, $0.abstention) = (line.name, line.isAbstention)
                $0.supportCount = UInt64(line.recall.trials)
                $0.predictedCount = UInt64(line.precision.trials)
                $0.precision = Measure("precision", line.precision)
                $0.recall = Measure("recall", line.recall)
                $0.f1 = .with { f1 in
                    (f1.name, f1.value) = ("f1", line.f1)
                    f1.interval = line.f1Interval.map { ConfidenceInterval($0) }
                    f1.sampleCount = UInt64(line.recall.trials)
                }
            }
        }
        evaluation.confusion = report.confusions.map { cell in
            .with {
                ($0.actual, $0.predicted) = (cell.actual ?? "", cell.predicted ?? "")
                $0.rowCount = UInt64(cell.count)
            }
        }
    }

    private func slices() throws -> [SliceScore] {
        let sizes = rows.map { row in
            row.images.map { Double($0.widthPixels) * Double($0.heightPixels) }.max() ?? 0
        }
        let ranges = NumberBuckets(sizes)
        let report = try SliceReport(
            scores: scores.rows,
            slices: ["size": sizes.map { [ranges.name(of: $0)] }, "tags": rows.map(\.tags)],
            bootstrap: bootstrap)
        return report.lines.map { line in
            .with {
                ($0.slice, $0.bucket) = (line.slice, line.bucket)
                $0.rowCount = UInt64(line.rows.count)
                ($0.score, $0.worse) = (Measure(line.score), line.isWorse)
            }
        }
    }

    private func calibration() throws -> Calibration {
        let report = try ConfidenceReport(
            confidences: predictions.map { min(max($0.confidence, 0), 1) },
            isRight: scores.rows.map { $0 == 1 })
        var calibration = Calibration()
        calibration.expectedError = report.expectedError
        calibration.largestError = report.largestError
        calibration.brierScore = report.brierScore
        calibration.bins = report.bins.map { bin in
            .with {
                ($0.confidenceMin, $0.confidenceMax) = (bin.lower, bin.upper)
                $0.answerCount = UInt64(bin.count)
                ($0.meanConfidence, $0.accuracy) = (bin.meanConfidence, bin.accuracy)
            }
        }
        calibration.abstentionCurve = report.abstention.map { step in
            .with {
                ($0.confidence, $0.coverage) = (step.threshold, step.coverage)
                $0.errorRate = Measure("error_rate", step.errors)
            }
        }
        return calibration
    }

    private func failures() -> [FailureGroup] {
        let failed = zip(predictions, scores.rows).filter { $0.1 < 1 }.map { prediction, score in
            var row = FailedRow(example: prediction.example, score: score)
            (row.confidence, row.isWellFormed) = (
                prediction.confidence, prediction.wellFormed
            )
            if scores.classification != nil {
                (row.actualClass, row.answeredClass) = (
                    prediction.expected, prediction.wellFormed ? prediction.answer : nil
                )
            }
            row.wrongFields = prediction.wrongPointers
            return row
        }
        let context = FailureContext(
            rowCount: predictions.count, target: parts.version.targetScore ?? 1)
        return FailureAnalysis(failed, context: context).groups.map { group in
            .with {
                ($0.description, $0.rowCount) = (group.description, UInt64(group.rowCount))
                ($0.errorShare, $0.action) = (group.share, FailureAction(group.action))
                ($0.proposal, $0.wantedRowCount) = (
                    group.proposal, UInt64(clamping: group.wantedRows)
                )
                ($0.examples, $0.trainingExamples) = (group.examples, group.trainExamples)
            }
        }
    }
}

extension FailureAction {
    init(_ action: ProposedAction) {
        self =
            switch action {
            case .collectRows: .collectRows
            case .strengthenFormat: .strengthenFormat
            case .reviewAnnotations: .reviewAnnotations
            case .augment: .augment
            case .raiseCapacity: .raiseCapacity
            case .stop: .stop
            }
    }
}
