/// All that a report shows; empty parts are left out of it.
package struct ReportPage: Sendable {
    /// A row with its picture.
    package struct Row: Sendable {
        package let example: String
        package let expected: String
        package let answer: String
        package let score: Double
        package let confidence: Double?
        /// JPEG or PNG; anything else is not shown.
        package let picture: [UInt8]

        package init(
            example: String, expected: String, answer: String, score: Double,
            confidence: Double? = nil, picture: [UInt8] = []
        ) {
            (self.example, self.expected, self.answer) = (example, expected, answer)
            (self.score, self.confidence, self.picture) = (score, confidence, picture)
        }
    }

    /// A prompt of a baseline and what it scored.
    package struct Prompt: Sendable {
        package let name: String
        package let shots: Int
        package let isConstrained: Bool
        package let measures: [Estimate]

        package init(name: String, shots: Int, isConstrained: Bool, measures: [Estimate]) {
            (self.name, self.shots) = (name, shots)
            (self.isConstrained, self.measures) = (isConstrained, measures)
        }
    }

    package var title: String
    /// Such as model, dataset version and digest, in the order shown.
    package var facts: [(name: String, value: String)] = []
    /// Main metric first.
    package var measures: [Estimate] = []
    package var warnings: [String] = []
    package var trainLoss: [OverfittingWatch.Point] = []
    package var validationLoss: [OverfittingWatch.Point] = []
    package var classification: ClassificationReport?
    package var fields: [FieldLine] = []
    /// Of whole answers ("") or fields.
    package var confidence: [(key: String, report: ConfidenceReport)] = []
    package var slices: [SliceLine] = []
    package var robustness: [Robustness] = []
    package var prompts: [Prompt] = []
    package var differences: [MetricDifference] = []
    package var failures: [ErrorGroup] = []
    /// Rows to show, such as failing ones; at most `rowsMax` are.
    package var rows: [Row] = []

    /// Rows shown.
    package static let rowsMax = 100
    /// Larger pictures are not shown.
    package static let pictureBytesMax = 512 * 1_024
    /// Characters shown of an answer.
    package static let answerCharactersMax = 2_000
    /// Lines shown of a table.
    package static let linesMax = 500

    package init(title: String) { self.title = title }
}
