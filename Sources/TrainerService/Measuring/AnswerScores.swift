import Base
import Evaluation
import Messages
import Quality
import Resources

/// Scores of answers to rows with known answers, by the task of the version.
struct AnswerScores {
    /// An answer and what was expected.
    struct Pair: Sendable {
        let expected, answer: String
    }

    /// 0 to 1 for each row.
    let rows: [Double]
    let isWellFormed: [Bool]
    let wrongPointers: [[String]]
    /// Main metric first.
    let estimates: [Estimate]
    private(set) var classification: ClassificationReport?
    private(set) var fields: [FieldLine] = []

    init(_ pairs: [Pair], _ version: DatasetVersion, _ bootstrap: Bootstrap) throws {
        let schema = version.answerSchema ?? Messages.AnswerSchema()
        if !schema.classes.isEmpty {
            let reader = try ClassReader(classes: schema.classes.map(\.name))
            let actual = pairs.map { reader.label(of: $0.expected) }
            let predicted = pairs.map { reader.label(of: $0.answer) }
            let report = try ClassificationReport(
                reader: reader, actual: actual, predicted: predicted, bootstrap: bootstrap)
            rows = zip(actual, predicted).map { $0 == $1 && $0 != reader.outside ? 1 : 0 }
            isWellFormed = predicted.map { $0 != reader.outside }
            wrongPointers = pairs.map { _ in [] }
            (estimates, classification) = (report.estimates, report)
        } else if version.task == .extraction {
            let rules = ExtractionRules(
                schema: try schema.jsonSchema.isEmpty ? nil : JSONAnswerSchema(schema.jsonSchema))
            let read = pairs.map {
                ExtractedRow(expected: $0.expected, answer: $0.answer, rules: rules)
            }
            let report = ExtractionReport(read, bootstrap: bootstrap)
            rows = read.map(\.score)
            isWellFormed = read.map { $0.isSchemaValid ?? $0.isBare }
            wrongPointers = read.map(\.wrongPointers)
            (estimates, fields) = (report.estimates, report.fields)
        } else {
            let read = pairs.map { GeneratedRow($0.answer, references: [$0.expected]) }
            rows = read.map { $0.match.isExact ? 1 : min($0.match.tokenF1, 0.999) }
            isWellFormed = pairs.map { !$0.answer.isEmpty }
            wrongPointers = pairs.map { _ in [] }
            let report = read.isEmpty ? [] : GenerationReport(read, bootstrap: bootstrap).estimates
            let exact = Share(rows.count { $0 == 1 }, of: rows.count, level: bootstrap.level)
            estimates =
                [Estimate("exact_match", exact)].compactMap { $0 }
                + report.filter { $0.name != "exact_match" }
        }
    }

    /// The share of well-formed answers.
    func format(level: Double) -> Estimate? {
        Estimate(
            "format.valid", Share(isWellFormed.count { $0 }, of: rows.count, level: level))
    }
}

extension Measure {
    init(_ estimate: Estimate) {
        self.init()
        (name, value) = (estimate.name, estimate.value)
        sampleCount = UInt64(max(estimate.count, 0))
        higherIsBetter = estimate.higherIsBetter
        interval = estimate.interval.map(ConfidenceInterval.init)
    }

    /// Unset where nothing was tried.
    init(_ name: String, _ share: Share) {
        self.init()
        (self.name, value, sampleCount) = (name, share.value ?? 0, UInt64(share.trials))
        interval = share.interval.map(ConfidenceInterval.init)
    }
}

extension ConfidenceInterval {
    init(_ interval: Interval) {
        self.init()
        (lower, upper, level) = (interval.lower, interval.upper, interval.level)
        method = interval.method.rawValue
    }
}

extension Estimate {
    /// A measure as it was stored.
    init(_ measure: Measure) {
        let interval = measure.interval.map { stored in
            Interval(
                lower: stored.lower, upper: stored.upper, level: stored.level,
                method: Interval.Method(rawValue: stored.method) ?? .bootstrap)
        }
        self.init(
            measure.name, measure.value, interval: interval, count: Int(measure.sampleCount),
            higherIsBetter: measure.higherIsBetter)
    }
}
