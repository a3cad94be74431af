import Messages
import Quality

/// What is odd about answers: each by the rules, and all seen together.
struct AnswerTally: Sendable {
    /// An answer that breaks a rule.
    struct Finding: Sendable {
        let row: Int
        let problem: AnswerProblem
    }

    /// Findings of the rules, at most as many as are listed.
    private(set) var findings: [Finding] = []
    /// All findings.
    private(set) var findingCount = 0
    /// Rows with at least one.
    private(set) var faultyRows = 0

    private let lint: AnswerLint?
    private let findingsMax: Int
    private var rows: [Int32] = []
    private var lengths: [Int32] = []
    /// Rows of each answer with the first of them; given up where answers are free text.
    private var counts: [String: (count: Int, row: Int)]? = [:]
    private let seesVariants: Bool

    init(
        _ schema: Messages.AnswerSchema, findingsMax: Int, isWanted: Bool
    ) throws {
        self.findingsMax = findingsMax
        let bytes = Int(schema.answerBytesMax)
        lint =
            isWanted
            ? AnswerLint(
                classes: schema.classes.map(\.name),
                schema: schema.jsonSchema.isEmpty
                    ? nil : try Quality.AnswerSchema(schema.jsonSchema),
                bytesMax: bytes == 0 ? Limits.answerBytesStandard : bytes)
            : nil
        // With classes every answer that is none of them is found by itself.
        seesVariants = schema.classes.isEmpty && schema.jsonSchema.isEmpty
    }

    /// Looks at the answer of a row.
    mutating func add(_ answer: String, row: Int) {
        guard let lint else { return }
        let problems = lint.problems(in: answer)
        if !problems.isEmpty { faultyRows += 1 }
        for problem in problems { keep(problem, row) }
        rows.append(Int32(row))
        lengths.append(Int32(clamping: answer.utf8.count))
        guard seesVariants, counts != nil else { return }
        counts?[answer, default: (0, row)].count += 1
        if (counts?.count ?? 0) > AnswerVariants.answersMax { counts = nil }
    }

    /// Adds what only shows when all answers have been seen.
    mutating func finish() {
        if let usual = AnswerVariants.usualLengths(lengths.map { Int($0) }), seesVariants {
            for (index, length) in lengths.enumerated() where !usual.contains(Int(length)) {
                keep(.length(Int(length), usual: usual), Int(rows[index]))
            }
        }
        guard let counts else { return }
        for pair in AnswerVariants.pairs(counts.mapValues(\.count)) {
            keep(.variant(pair), counts[pair.variant]?.row ?? 0)
        }
    }

    private mutating func keep(_ problem: AnswerProblem, _ row: Int) {
        findingCount += 1
        if findings.count < findingsMax { findings.append(Finding(row: row, problem: problem)) }
    }
}
