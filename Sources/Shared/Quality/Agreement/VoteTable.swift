/// One person's answer to one row.
package struct RowVote: Sendable, Hashable {
    /// Number of the row; any numbering will do.
    package let row: Int
    package let annotator: String
    /// The answer in the form in which it is compared: normalised already where it should be.
    package let answer: String

    /// A vote as the store holds it.
    package init(row: Int, annotator: String, answer: String) {
        (self.row, self.annotator, self.answer) = (row, annotator, answer)
    }
}

/// Votes by row, in compact form: names are numbers here, and missing votes take no room.
package struct VoteTable: Sendable {
    /// The answers there are: declared ones in their order, then others as text sorts them.
    package let answers: [String]
    /// Who voted, sorted.
    package let annotators: [String]
    /// The caller's number of each row with a vote, rising.
    package let rows: [Int]
    /// Votes of row i are those from `starts[i]` up to `starts[i + 1]`.
    let starts: [Int]
    let voters: [Int32]
    let choices: [Int32]

    /// Of several votes of one person on one row the last counts.
    ///
    /// - Parameter declared: answers there may be, in the order of the scale if there is one; an
    ///   answer that nobody gave still counts among the possible ones
    package init(_ votes: [RowVote], declared: [String] = []) {
        var known = Set(declared)
        var others = Set<String>()
        for vote in votes where known.insert(vote.answer).inserted { others.insert(vote.answer) }
        let answers = declared + others.sorted()
        let annotators = Set(votes.map(\.annotator)).sorted()
        let answerNumbers = VoteTable.numbers(of: answers)
        let annotatorNumbers = VoteTable.numbers(of: annotators)
        let sorted = votes.enumerated().map { order, vote in
            (vote.row, annotatorNumbers[vote.annotator] ?? 0, order)
        }.sorted(by: <)
        var rows: [Int] = []
        var (starts, voters, choices) = ([Int](), [Int32](), [Int32]())
        for (position, (row, voter, order)) in sorted.enumerated() {
            let next = position + 1 < sorted.count ? sorted[position + 1] : (row, -1, 0)
            if next.0 == row, next.1 == voter { continue }
            if rows.last != row {
                rows.append(row)
                starts.append(voters.count)
            }
            voters.append(voter)
            choices.append(answerNumbers[votes[order].answer] ?? 0)
        }
        starts.append(voters.count)
        (self.answers, self.annotators, self.rows) = (answers, annotators, rows)
        (self.starts, self.voters, self.choices) = (starts, voters, choices)
    }

    private init(_ table: VoteTable, answers: [String], choices: [Int32]) {
        (self.answers, self.choices) = (answers, choices)
        (annotators, rows) = (table.annotators, table.rows)
        (starts, voters) = (table.starts, table.voters)
    }

    /// Votes in all.
    package var voteCount: Int { voters.count }

    /// The same votes with every answer but one taken as one: how a class is told from the rest.
    package func oneAgainstRest(_ answer: Int) -> VoteTable {
        VoteTable(
            self, answers: [answers[answer], ""], choices: choices.map { $0 == answer ? 0 : 1 })
    }

    /// Votes for each answer.
    package var answerCounts: [Int] {
        choices.reduce(into: [Int](repeating: 0, count: answers.count)) { $0[Int($1)] += 1 }
    }

    /// The votes of a row.
    func votes(_ row: Int) -> Range<Int> { starts[row]..<starts[row + 1] }

    private static func numbers(of names: [String]) -> [String: Int32] {
        Dictionary(
            names.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
    }
}
