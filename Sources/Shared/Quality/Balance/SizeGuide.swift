/// What is learned, as far as the number of rows goes.
package enum SizeTask: Sendable, CaseIterable {
    /// One of a few classes.
    case classification
    /// Fields read from a document.
    case extraction
    /// Reasoning over an image, with long answers.
    case reasoning
    /// Several steps of knowledge of the domain.
    case domainReasoning
}

/// A range of rows that is usual for a task.
package struct SizeRange: Sendable, Hashable {
    /// "guide" or "faq": both are named where they differ.
    package let source: String
    package let rows: ClosedRange<Int>
}

/// How a number of rows is judged.
package enum SizeVerdict: Sendable {
    /// Prompting is likely to do as well.
    case doNotTune
    /// Below all ranges.
    case low
    /// Within the ranges, or between two of them.
    case usual
    /// Above all ranges: more rows are likely to help little.
    case ample
}

/// Whether there are enough rows for a task.
package struct SizeGuide: Sendable {
    /// With fewer distinct rows tuning is advised against.
    package static let rowsForTuning = 300

    package let rows: Int
    /// What is judged: rows after near-duplicates are counted once.
    package let distinct: Int
    package let ranges: [SizeRange]
    package let verdict: SizeVerdict
    /// In words, with the numbers.
    package let explanation: String

    /// Judges decided rows.
    package init(_ task: SizeTask, rows: Int, distinct: Int) {
        (self.rows, self.distinct) = (rows, distinct)
        ranges = Self.ranges(task)
        let lowest = ranges.map(\.rows.lowerBound).min() ?? 0
        let highest = ranges.map(\.rows.upperBound).max() ?? 0
        let named = ranges.map { "\($0.rows.lowerBound) to \($0.rows.upperBound) (\($0.source))" }
            .joined(separator: ", ")
        let repeats = rows - distinct
        let counted = "\(distinct) distinct rows of \(rows), \(repeats) near-duplicates aside"
        switch distinct {
        case ..<Self.rowsForTuning:
            verdict = .doNotTune
            explanation =
                "\(counted); below \(Self.rowsForTuning) prompting is likely to do as well"
        case ..<lowest:
            verdict = .low
            explanation = "\(counted); usual for the task are \(named)"
        case ...highest:
            verdict = .usual
            explanation = "\(counted), as is usual for the task: \(named)"
        default:
            verdict = .ample
            explanation =
                "\(counted); usual for the task are \(named), and better rows help more than more"
        }
    }

    /// The published ranges.
    package static func ranges(_ task: SizeTask) -> [SizeRange] {
        switch task {
        case .classification:
            [
                SizeRange(source: "guide", rows: 500...1_000),
                SizeRange(source: "faq", rows: 500...2_000),
            ]
        case .extraction: [SizeRange(source: "guide", rows: 1_000...3_000)]
        case .reasoning: [SizeRange(source: "guide", rows: 3_000...10_000)]
        case .domainReasoning:
            [
                SizeRange(source: "guide", rows: 10_000...20_000),
                SizeRange(source: "faq", rows: 5_000...20_000),
            ]
        }
    }
}
