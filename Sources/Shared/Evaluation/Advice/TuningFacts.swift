package import Quality

/// A prompted base model on the test split.
package struct BaselineScore: Sendable, Hashable {
    /// In words, such as "row, 3 shots".
    package let name: String
    /// Answered rows put before the question.
    package let shots: Int
    /// The main metric, with its interval.
    package let score: Estimate
    /// The evaluation it is from.
    package let source: String

    package init(name: String, shots: Int = 0, score: Estimate, source: String = "") {
        (self.name, self.shots, self.score, self.source) = (name, shots, score, source)
    }
}

/// What is known before a decision to tune. All but rows and target may be missing.
package struct TuningFacts: Sendable {
    /// Rows after near-duplicates are counted once, decided ones only.
    package var distinctRows: Int
    /// The score to reach, above 0 and up to 1.
    package var target: Double
    /// Rows of the test split.
    package var testRows: Int?
    package var baselines: [BaselineScore] = []
    /// Largest minus smallest score over prompts.
    package var promptSpread: Estimate?
    /// Rows answered differently when asked again.
    package var inconsistency: Share?
    /// Of the errors, those of classes or terms that the base never uses.
    package var unknownTerms: Share?
    /// Answers of the base in the required form, free.
    package var formatValid: Share?
    /// Answers of the base in the required form, held to the schema.
    package var constrainedValid: Share?
    /// Changes of the task's schema in the last 90 days.
    package var schemaChanges: Int?
    /// Costs a month of prompting and of a tuned model, in one currency.
    package var monthlyCosts: (prompting: Double, tuned: Double)?
    /// Gain of the main metric in each round of tuning so far.
    package var roundGains: [Estimate] = []
    /// The best tuned model so far.
    package var tuned: Estimate?

    package init(distinctRows: Int, target: Double) {
        (self.distinctRows, self.target) = (distinctRows, target)
    }
}

/// The advice in a word.
package enum AdviceVerdict: Sendable, Hashable, CaseIterable {
    /// Too few rows, or prompting reaches the target.
    case doNotTune
    /// Prompting reaches 90 % of the target or more.
    case likelyNotWorth
    /// 70 to 90 %, or the interval spans a limit.
    case undecided
    /// Below 70 %.
    case likelyWorth
    /// Nothing was measured yet.
    case baselineFirst
    /// Tuned already; the last rounds still gained.
    case continueTuning
    /// Tuned already; the target is reached or further rounds gain nothing.
    case stop
}

/// One fact the advice rests on.
package struct AdviceReason: Sendable, Hashable {
    /// Which way it points.
    package enum Direction: Sendable { case neither, tuning, against }

    /// Such as "rows.minimum".
    package let rule: String
    package let observed: Estimate
    /// What it was held against; nil: nothing.
    package let threshold: Double?
    package let direction: Direction
    /// One sentence with the numbers.
    package let explanation: String
    /// Where it is from; empty: settings.
    package let source: String

    init(
        _ rule: String, _ observed: Estimate, against threshold: Double? = nil,
        _ direction: Direction, _ explanation: String, source: String = ""
    ) {
        (self.rule, self.observed, self.threshold) = (rule, observed, threshold)
        (self.direction, self.explanation, self.source) = (direction, explanation, source)
    }
}
