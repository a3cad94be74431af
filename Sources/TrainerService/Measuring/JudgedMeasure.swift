import Evaluation
import Messages
import Quality
import Resources

/// What was found out earlier about models tuned for the same split.
struct MeasureHistory: Sendable {
    /// Gain of the main metric in each round so far.
    var roundGains: [Estimate] = []
    /// The main metric of the same model on train rows; nil if it was not measured.
    var trainScore: Double?
    /// The losses of the job that made the adapter, by step; none for a plain model.
    var trainLoss: [LossWatch.Point] = []
    var validationLoss: [LossWatch.Point] = []
}

/// The best way of asking with all that is told of it.
struct JudgedMeasure {
    let scored: ScoredVariant
    let rows: [StreamedExample]
    let slices: SliceReport
    let confidence: ConfidenceReport
    let failures: [ErrorGroup]
    /// Against the evaluation that the job names, or the newest baseline.
    let differences: [MetricDifference]
    var table: [PromptScore] = []
    var spread: Estimate?
    var robustness: [Robustness] = []
    private let parts: MeasureWork.Parts

    init(
        _ scored: ScoredVariant, _ parts: MeasureWork.Parts, _ rows: [StreamedExample]
    ) throws {
        (self.scored, self.parts, self.rows) = (scored, parts, rows)
        let buckets = RowSlices(rows, wanted: parts.plan.measuring.slices).buckets
        slices = try SliceReport(
            scores: scored.scores.rows, slices: buckets, bootstrap: scored.bootstrap)
        confidence = try ConfidenceReport(
            confidences: scored.predictions.map { min(max($0.confidence, 0), 1) },
            isRight: scored.scores.rows.map { $0 == 1 }, level: scored.level)
        failures = Self.failures(scored, parts, slices)
        differences = try Self.differences(scored, parts)
    }

    private static func failures(
        _ scored: ScoredVariant, _ parts: MeasureWork.Parts, _ slices: SliceReport
    ) -> [ErrorGroup] {
        let failed = scored.predictions.indices.compactMap { index -> FailedRow? in
            let prediction = scored.predictions[index]
            guard prediction.score < 1 else { return nil }
            var row = FailedRow(example: prediction.example, score: prediction.score)
            (row.confidence, row.isWellFormed) = (prediction.confidence, prediction.wellFormed)
            switch scored.scores.judged {
            case .classes(let reader, let actual, let answered):
                func name(_ label: Int) -> String? {
                    reader.labels.indices.contains(label) ? reader.labels[label] : nil
                }
                (row.actualClass, row.answeredClass) = (
                    name(actual[index]), name(answered[index])
                )
            case .fields(let read):
                let invented = Set(read[index].inventedPointers)
                row.inventedFields = invented.map(Self.field).sorted()
                row.wrongFields = prediction.wrongPointers.filter { !invented.contains($0) }
                    .map(Self.field)
            case .texts: break
            }
            return row
        }
        var context = FailureContext(
            rowCount: scored.predictions.count, target: parts.plan.target)
        func strata(_ kind: SplitKind) -> [String: Int] {
            let split = parts.version.splits.first { $0.split == kind }
            return (split?.strata ?? []).reduce(into: [:]) {
                $0[$1.name] = Int(clamping: $1.itemCount)
            }
        }
        (context.trainRows, context.testRows) = (strata(.train), strata(parts.plan.split))
        context.worseSlices = slices.lines.filter(\.isWorse)
        context.rowNames = scored.predictions.map(\.example)
        context.trainScore = parts.history.trainScore
        context.roundGains = parts.history.roundGains
        return FailureAnalysis(failed, context: context).groups
    }

    /// A pointer with "*" for indices.
    private static func field(_ pointer: String) -> String {
        pointer.split(separator: "/", omittingEmptySubsequences: false).map { part in
            !part.isEmpty && part.allSatisfy(\.isNumber) ? "*" : String(part)
        }.joined(separator: "/")
    }

    private static func differences(
        _ scored: ScoredVariant, _ parts: MeasureWork.Parts
    ) throws -> [MetricDifference] {
        guard let reference = parts.reference,
            reference.rows.map(\.example) == scored.predictions.map(\.example)
        else { return [] }
        let own = ScoredRows(
            evaluation: .with { $0.measuring = parts.plan.measuring }, rows: scored.predictions)
        return try ModelComparison(
            try reference.paired(with: own, parts.version), bootstrap: scored.bootstrap
        ).differences
    }

    // MARK: As the contract has it

    /// The evaluation with its rows.
    func stored(named name: String, _ inconsistency: Measure?) -> StoredEvaluation {
        var evaluation = Messages.Evaluation()
        (evaluation.name, evaluation.target) = (name, parts.target)
        evaluation.datasetVersion = parts.version.name
        evaluation.split = parts.plan.split.plainName.lowercased()
        let split = parts.version.splits.first { $0.split == parts.plan.split }
        evaluation.splitSha256 = split?.splitSha256 ?? ""
        evaluation.measuring = parts.plan.measuring
        evaluation.mainMetric = scored.scores.estimates.first?.name ?? ""
        evaluation.measures = scored.measures + [inconsistency].compactMap { $0 }
        if let report = scored.scores.classification { describe(report, &evaluation) }
        evaluation.fields = scored.scores.fields.map { FieldScore($0) }
        evaluation.slices = slices.lines.map { line in
            .with {
                ($0.slice, $0.bucket) = (line.slice, line.bucket)
                $0.rowCount = UInt64(line.rows.count)
                ($0.score, $0.worse) = (Measure(line.score), line.isWorse)
            }
        }
        evaluation.robustness = robustness.map { degraded in
            .with {
                ($0.transform, $0.strength) = (degraded.transform, degraded.strength)
                ($0.score, $0.change) = (Measure(degraded.score), Measure(degraded.change))
            }
        }
        evaluation.calibrations = [Calibration(confidence)]
        evaluation.failures = failures.map { FailureGroup($0) }
        (evaluation.prompts, evaluation.promptSpread) = (table, spread.map { Measure($0) })
        evaluation.rowCount = UInt64(scored.predictions.count)
        evaluation.skippedCount = parts.version.erasedCount
        evaluation.servingPath = true
        evaluation.warnings = warnings
        return StoredEvaluation(
            evaluation: evaluation, predictions: scored.predictions,
            isBaseline: parts.plan.isBaseline)
    }

    private var warnings: [Problem] {
        var found: [Problem] = []
        let count = scored.predictions.count
        if count < TuningAdvice.testRowsMin {
            found.append(
                Problem(
                    .unspecified, field: "split", seen: "\(count) rows",
                    allowed: "\(TuningAdvice.testRowsMin) or more",
                    "\(count) rows are few: intervals are wide"))
        }
        if let reference = parts.reference, differences.isEmpty {
            found.append(
                Problem(
                    .evaluationsDiffer, field: "compare_with", seen: reference.evaluation.name,
                    allowed: "an evaluation of the same rows",
                    "\(reference.evaluation.name) rests on \(reference.rows.count) rows that are"
                        + " not these \(count): nothing is compared"))
        }
        return found
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
}

extension FieldScore {
    fileprivate init(_ line: FieldLine) {
        self.init()
        pointer = line.pointer
        accuracy = Measure("accuracy", line.accuracy)
        missing = Measure("missing", line.missing)
        invented = Measure("invented", line.invented)
        boxOverlap = line.overlap.map { Measure($0) }
        supportCount = UInt64(line.accuracy.trials)
    }
}

extension Calibration {
    fileprivate init(_ report: ConfidenceReport) {
        self.init()
        (expectedError, largestError) = (report.expectedError, report.largestError)
        brierScore = report.brierScore
        bins = report.bins.map { bin in
            .with {
                ($0.confidenceMin, $0.confidenceMax) = (bin.lower, bin.upper)
                $0.answerCount = UInt64(bin.count)
                ($0.meanConfidence, $0.accuracy) = (bin.meanConfidence, bin.accuracy)
            }
        }
        abstentionCurve = report.abstention.map { step in
            .with {
                ($0.confidence, $0.coverage) = (step.threshold, step.coverage)
                $0.errorRate = Measure("error_rate", step.errors)
            }
        }
    }
}

extension FailureGroup {
    fileprivate init(_ group: ErrorGroup) {
        self.init()
        (description, rowCount) = (group.description, UInt64(group.rowCount))
        (errorShare, action) = (group.share, FailureAction(group.action))
        (proposal, wantedRowCount) = (group.proposal, UInt64(clamping: group.wantedRows))
        (examples, trainingExamples) = (group.examples, group.trainExamples)
    }
}

extension FailureAction {
    fileprivate init(_ action: ProposedAction) {
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
