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

    private let rules: AnswerRules?
    private let findingsMax: Int
    private var places: [Int32] = []
    private var lengths: [Int32] = []
    /// Rows of each answer with the first of them; given up where answers are free text.
    private var counts: [String: (count: Int, row: Int)]? = [:]
    private let seesVariants: Bool

    /// - Parameters:
    ///   - rules: nil if nobody asks
    ///   - seesVariants: whether answers are compared with one another too
    init(_ rules: AnswerRules?, seesVariants: Bool, findingsMax: Int) {
        (self.rules, self.seesVariants, self.findingsMax) = (rules, seesVariants, findingsMax)
    }

    /// Looks at the answer of a row.
    mutating func add(_ answer: String, row: Int) {
        guard let rules else { return }
        let problems = rules.findings(in: answer)
        if !problems.isEmpty { faultyRows += 1 }
        for problem in problems { keep(problem, row) }
        places.append(Int32(row))
        lengths.append(Int32(clamping: answer.utf8.count))
        guard seesVariants, counts != nil else { return }
        counts?[answer, default: (0, row)].count += 1
        if (counts?.count ?? 0) > AnswerVariants.answersMax { counts = nil }
    }

    /// Adds what only shows when all answers have been seen.
    mutating func finish() {
        if let usual = AnswerVariants.usualLengths(lengths.map { Int($0) }), seesVariants {
            for (index, length) in lengths.enumerated() where !usual.contains(Int(length)) {
                keep(.length(Int(length), usual: usual), Int(places[index]))
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
