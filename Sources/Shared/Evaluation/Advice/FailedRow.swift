/// A row that was not answered fully right.
package struct FailedRow: Sendable {
    /// The row's name.
    package let example: String
    /// 0 to 1.
    package let score: Double
    /// Of the answer, 0 to 1; nil if unknown.
    package var confidence: Double?
    /// Whether the answer has the required form.
    package var isWellFormed = true
    /// The right class, for tasks of classes.
    package var actualClass: String?
    /// The class answered; nil for an answer outside of all classes.
    package var answeredClass: String?
    /// Fields, with "*" for indices, whose values are wrong or missing.
    package var wrongFields: [String] = []
    /// Fields, with "*" for indices, that are made up.
    package var inventedFields: [String] = []

    package init(example: String, score: Double) { (self.example, self.score) = (example, score) }
}

/// What surrounds the errors.
package struct FailureContext: Sendable {
    /// Rows scored, right ones included.
    package var rowCount: Int
    /// The score to reach, 0 to 1.
    package var target: Double
    /// Train rows by class, or by field where the task has fields.
    package var trainRows: [String: Int] = [:]
    /// Test rows by class, or by field.
    package var testRows: [String: Int] = [:]
    /// Names of train rows by class or field, those nearest to the errors first.
    package var trainExamples: [String: [String]] = [:]
    /// Slices found worse than the rest.
    package var worseSlices: [SliceLine] = []
    /// Names of all rows, by the numbers that slices use.
    package var rowNames: [String] = []
    /// The main metric on train rows; nil if it was not measured.
    package var trainScore: Double?
    /// Gain of the main metric in each round so far.
    package var roundGains: [Estimate] = []

    package init(rowCount: Int, target: Double) {
        (self.rowCount, self.target) = (rowCount, target)
    }
}

/// What to do about errors.
package enum ProposedAction: Sendable, Hashable, CaseIterable {
    /// Collect more rows of a class, field or slice.
    case collectRows
    /// Make the required form clearer in prompts and guidelines.
    case strengthenFormat
    /// Look again at the annotations of train rows.
    case reviewAnnotations
    /// Add degraded copies or better images.
    case augment
    /// Raise rank or change method.
    case raiseCapacity
    /// The last rounds gained nothing beyond chance.
    case stop
}

/// Errors that have something in common.
package struct ErrorGroup: Sendable, Hashable {
    /// What they share, in words.
    package let description: String
    /// Failing rows.
    package let rowCount: Int
    /// Share of all failing rows. Groups overlap: a row may break the form and belong to a class.
    package let share: Double
    package let action: ProposedAction
    /// What to do, with numbers.
    package let proposal: String
    /// Rows to collect; 0 where that is not the action, or their number cannot be told.
    package let wantedRows: Int
    /// Worst rows first, surest of them first, at most 100.
    package let examples: [String]
    /// Train rows concerned, at most 100.
    package let trainExamples: [String]
}
