import Base
import Evaluation
import Messages
import Quality
import Resources

/// Scores of answers to rows with known answers, by the task of the version.
struct AnswerScores: Sendable {
    /// Answers as their task compares them.
    enum Judged: Sendable {
        case classes(ClassReader, actual: [Int], answered: [Int])
        case fields([ExtractedRow])
        case texts([GeneratedRow])
    }

    let judged: Judged
    /// 0 to 1 for each row.
    let rows: [Double]
    let isWellFormed: [Bool]
    let wrongPointers: [[String]]
    /// Main metric first.
    let estimates: [Estimate]
    private(set) var classification: ClassificationReport?
    private(set) var fields: [FieldLine] = []

    /// What stands for an answer below the confidence asked for, where no class abstains.
    private static let abstention = "(handed to a person)"

    /// - Parameter abstainBelow: answers less confident than this count as abstentions; where the
    ///   task has no classes, as no answer
    init(
        _ predictions: [Prediction], _ version: DatasetVersion, abstainBelow limit: Double,
        _ bootstrap: Bootstrap
    ) throws {
        judged = try Self.judge(
            predictions, version, abstainBelow: limit, abstains: limit > 0)
        switch judged {
        case .classes(let reader, let actual, let answered):
            let report = try ClassificationReport(
                reader: reader, actual: actual, predicted: answered, bootstrap: bootstrap)
            rows = zip(actual, answered).map { $0 == $1 && $0 != reader.outside ? 1 : 0 }
            isWellFormed = answered.map { $0 != reader.outside }
            wrongPointers = predictions.map { _ in [] }
            (estimates, classification) = (report.estimates, report)
        case .fields(let read):
            let report = ExtractionReport(read, bootstrap: bootstrap)
            rows = read.map(\.score)
            isWellFormed = read.map { $0.isSchemaValid ?? $0.isBare }
            wrongPointers = read.map(\.wrongPointers)
            (estimates, fields) = (report.estimates, report.fields)
        case .texts(let read):
            rows = read.map { $0.match.isExact ? 1 : min($0.match.tokenF1, 0.999) }
            isWellFormed = predictions.map { !$0.answer.isEmpty && $0.confidence >= limit }
            wrongPointers = predictions.map { _ in [] }
            let report = read.isEmpty ? [] : GenerationReport(read, bootstrap: bootstrap).estimates
            let exact = Share(rows.count { $0 == 1 }, of: rows.count, level: bootstrap.level)
            estimates =
                [Estimate("exact_match", exact)].compactMap { $0 }
                + report.filter { $0.name != "exact_match" }
        }
    }

    /// Compares answers with what was expected.
    ///
    /// - Parameter abstains: whether there is an abstention to count, even if no answer of this
    ///   model is one; those that are compared must agree on it
    static func judge(
        _ predictions: [Prediction], _ version: DatasetVersion, abstainBelow limit: Double,
        abstains: Bool
    ) throws -> Judged {
        let schema = version.answerSchema ?? Messages.AnswerSchema()
        if !schema.classes.isEmpty {
            var abstentions = schema.classes.filter(\.abstention).map(\.name)
            if abstentions.isEmpty, abstains { abstentions = [abstention] }
            let reader = try ClassReader(
                classes: schema.classes.filter { !$0.abstention }.map(\.name),
                abstentions: abstentions)
            let handedOver = reader.classCount
            return .classes(
                reader, actual: predictions.map { reader.label(of: $0.expected) },
                answered: predictions.map { prediction in
                    prediction.confidence < limit
                        ? handedOver : reader.label(of: prediction.answer)
                })
        }
        func answer(_ prediction: Prediction) -> String {
            prediction.confidence < limit ? "" : prediction.answer
        }
        if version.task == .extraction || !schema.jsonSchema.isEmpty {
            let rules = ExtractionRules(
                fields: schema.fieldRules.map { Quality.FieldRule($0) },
                schema: try schema.jsonSchema.isEmpty ? nil : JSONAnswerSchema(schema.jsonSchema))
            return .fields(
                predictions.map {
                    ExtractedRow(expected: $0.expected, answer: answer($0), rules: rules)
                })
        }
        return .texts(
            predictions.map { GeneratedRow(answer($0), references: [$0.expected]) })
    }

    /// The share of well-formed answers.
    func format(level: Double) -> Estimate? {
        Estimate(
            "format.valid", Share(isWellFormed.count { $0 }, of: rows.count, level: level))
    }
}

extension AnswerScores.Judged {
    /// All metrics of two models on the same rows; nil if their tasks differ.
    func paired(with other: AnswerScores.Judged) throws(EvaluationError) -> [PairedMetric]? {
        switch (self, other) {
        case (.classes(let reader, let actual, let own), .classes(_, _, let others)):
            try PairedMetric.classes(reader, actual: actual, baseline: own, candidate: others)
        case (.fields(let own), .fields(let others)):
            PairedMetric.fields(baseline: own, candidate: others)
        case (.texts(let own), .texts(let others)):
            PairedMetric.texts(baseline: own, candidate: others)
        default: nil
        }
    }
}
