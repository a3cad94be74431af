import Quality

/// Answers that are probably wrong, from the votes of people of unequal care.
struct LabelReport: Sendable {
    /// A row whose answer is less likely than another.
    struct Finding: Sendable {
        /// Its key in `examples`.
        let example: Int64
        let answer: String
        let suggested: String
        let quality: Double
    }

    /// Least likely right first.
    private(set) var findings: [Finding] = []
    /// Expected share of wrong answers among the rows with votes; nil without any.
    private(set) var noise: Double?
    /// Rows with votes and an answer.
    private(set) var rowCount = 0

    /// - Parameters:
    ///   - votes: their rows are keys in `examples`
    ///   - answers: hash of the present answer by key
    init(_ votes: [RowVote], answers: [Int64: UInt64], declared: [String]) {
        let counted = votes.filter { answers[Int64($0.row)] != nil }
        guard !counted.isEmpty else { return }
        let table = VoteTable(counted, declared: declared)
        guard let model = DawidSkene(table) else {
            judgeByShares(counted, answers)
            return
        }
        let numbers = Dictionary(
            table.answers.enumerated().map { (SplitPlan.hash($0.element), $0.offset) },
            uniquingKeysWith: { first, _ in first })
        let present = table.rows.map { row in
            answers[Int64(row)].flatMap { numbers[$0] }
        }
        findings = model.suspects(present).map { suspect in
            Finding(
                example: Int64(table.rows[suspect.row]), answer: table.answers[suspect.answer],
                suggested: table.answers[suspect.suggested], quality: suspect.quality)
        }
        (noise, rowCount) = (model.noise(present), present.count { $0 != nil })
    }

    /// For free text, where there are too many answers to model people: what most votes say.
    private mutating func judgeByShares(_ votes: [RowVote], _ answers: [Int64: UInt64]) {
        let rule = ConsensusRule(votesNeeded: 2)
        var right = 0.0
        for (row, votes) in Dictionary(grouping: votes, by: \.row) {
            guard case .decided(let answer, let share, _) = rule.outcome(votes),
                let present = answers[Int64(row)]
            else { continue }
            rowCount += 1
            let held = votes.first { SplitPlan.hash($0.answer) == present }
            let decided = FlatAnswer(answer)
            let isHeld =
                held.map { AnswerComparison(FlatAnswer($0.answer), decided).isEqual } ?? false
            right += isHeld ? share : 1 - share
            guard !isHeld else { continue }
            findings.append(
                Finding(
                    example: Int64(row), answer: held?.answer ?? "", suggested: answer,
                    quality: 1 - share))
        }
        if rowCount > 0 { noise = 1 - right / Double(rowCount) }
        findings.sort { ($0.quality, $0.example) < ($1.quality, $1.example) }
    }
}
