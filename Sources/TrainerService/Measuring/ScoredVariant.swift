import Evaluation
import Messages
import Quality

/// The answers to one way of asking, scored.
struct ScoredVariant {
    let scores: AnswerScores
    private(set) var predictions: [Prediction]
    let bootstrap: Bootstrap

    init(
        _ answers: [Prediction], _ parts: MeasureWork.Parts, _ rows: [StreamedExample]
    ) throws {
        bootstrap = try parts.bootstrap()
        scores = try AnswerScores(
            answers, parts.version, abstainBelow: parts.plan.measuring.abstainConfidence,
            bootstrap)
        predictions = answers
        for index in predictions.indices {
            predictions[index].score = scores.rows[index]
            predictions[index].wellFormed = scores.isWellFormed[index]
            predictions[index].wrongPointers = scores.wrongPointers[index]
        }
    }

    /// The value of the main metric.
    var main: Double { scores.estimates.first?.value ?? 0 }

    /// The probability of intervals.
    var level: Double { bootstrap.level }

    var measures: [Measure] {
        var estimates = scores.estimates
        // Reports of JSON answers have their own.
        if !estimates.contains(where: { $0.name == "format.valid" }) {
            estimates += [scores.format(level: level)].compactMap { $0 }
        }
        return estimates.map { Measure($0) }
    }
}
