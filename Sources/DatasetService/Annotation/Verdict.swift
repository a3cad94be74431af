import Digests
import Messages
import Quality

/// What the votes and decisions on a row come to. The same records give the same verdict.
///
/// A decision outranks an answer that came with the row, which outranks votes. Votes decide if
/// there are as many as needed and all give the same answer; one that differs, or one of somebody
/// who could not answer, makes the row disputed.
struct Verdict: Sendable {
    let state: ExampleState
    let origin: AnswerOrigin
    let gold: Bool
    /// The row with its answer; nil for the row as it came in.
    let content: Example?

    /// All that a verdict rests on.
    struct Records: Sendable {
        /// The row as it came in.
        let basis: Example
        let basisGold: Bool
        /// Those that count, oldest first.
        let votes: [Vote]
        /// Those not taken back, oldest first.
        let decisions: [StandingDecision]
        let votesNeeded: Int
    }

    init(_ records: Records, comparedBy rules: [Quality.FieldRule]) {
        gold = records.basisGold || records.decisions.contains { $0.record.makeGold }
        if let decision = records.decisions.last {
            (state, origin) = (.decided, .adjudicated)
            content = records.basis.answered(
                decision.record.answer, decision.record.regions, tags: decision.record.tags,
                guidelines: decision.guidelines)
        } else if !records.basis.answer.isEmpty {
            (state, origin, content) = (.decided, .imported, nil)
        } else if records.votes.count < records.votesNeeded {
            state = records.votes.isEmpty ? .unlabelled : .collecting
            (origin, content) = (.unspecified, nil)
        } else if let agreed = Self.agreed(records, rules) {
            (state, origin, content) = (.decided, .consensus, agreed)
        } else {
            (state, origin, content) = (.disputed, .unspecified, nil)
        }
    }

    /// The row with the answer that all votes give; nil if they differ.
    private static func agreed(_ records: Records, _ rules: [Quality.FieldRule]) -> Example? {
        let votes = records.votes
        guard let first = votes.first, !votes.contains(where: \.skipped),
            votes.allSatisfy({ $0.regions.shows(first.regions) })
        else { return nil }
        // Above any share but that of all.
        let rule = ConsensusRule(votesNeeded: records.votesNeeded, shareAbove: 1 - 1e-6)
        let cast = votes.map { RowVote(row: 0, annotator: $0.annotator, answer: $0.answer) }
        guard case .decided(let answer, _, _) = rule.outcome(cast, rules: rules) else {
            return nil
        }
        var counts: [String: Int] = [:]
        for tag in votes.flatMap({ Set($0.tags) }) { counts[tag, default: 0] += 1 }
        let tags = counts.filter { $0.value * 2 > votes.count }.map(\.key)
        let oldest = votes.map(\.guidelines).min { Self.revision($0) < Self.revision($1) }
        return records.basis.answered(
            answer, first.regions, tags: tags, guidelines: oldest ?? "")
    }

    /// The number of guidelines; 0 for none.
    static func revision(_ guidelines: String) -> Int {
        guidelines.split(separator: "/").last.flatMap { Int($0) } ?? 0
    }
}

extension Example {
    /// The same row with an answer, and tags beside its own.
    fileprivate func answered(
        _ answer: String, _ regions: [ImageRegion], tags more: [String], guidelines: String
    ) -> Example {
        var row = self
        if row.turns.last?.role == .assistant { row.turns.removeLast() }
        row.turns.append(Turn(.assistant, answer))
        row.regions = regions
        row.tags = Set(tags + more).sorted()
        row.guidelines = guidelines
        row.contentSha256 = row.contentDigest.hex
        return row
    }
}
