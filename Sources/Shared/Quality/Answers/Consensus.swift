/// What the votes on a row come to.
package enum ConsensusOutcome: Sendable, Hashable {
    /// Fewer votes than asked for.
    case waiting(votes: Int, needed: Int)
    /// Enough weight stands behind one answer.
    case decided(answer: String, share: Double, dissenters: [String])
    /// People have to talk about it.
    case disagreement(answers: [String], shares: [Double])
}

/// When votes decide without a discussion.
package struct ConsensusRule: Sendable {
    /// Independent votes a row needs.
    package let votesNeeded: Int
    /// Share of the weight that an answer must exceed; 0.5 is the majority.
    package let shareAbove: Double
    /// Weights of people who do not count 1, such as their accuracy on gold rows.
    package let weights: [String: Double]

    package init(
        votesNeeded: Int = 3, shareAbove: Double = 0.5, weights: [String: Double] = [:]
    ) {
        (self.votesNeeded, self.shareAbove, self.weights) = (votesNeeded, shareAbove, weights)
    }

    /// Judges the votes on one row, each of another person.
    ///
    /// - Parameter rules: which answers count as the same; the wording that most of those who
    ///   agree have used is the answer
    package func outcome(_ votes: [RowVote], rules: [FieldRule] = []) -> ConsensusOutcome {
        guard votes.count >= votesNeeded, !votes.isEmpty else {
            return .waiting(votes: votes.count, needed: votesNeeded)
        }
        // Sorted, so that the order in which votes came in decides nothing.
        let sorted = votes.sorted { ($0.answer, $0.annotator) < ($1.answer, $1.annotator) }
        var camps: [(flat: FlatAnswer, votes: [RowVote])] = []
        for vote in sorted {
            let flat = FlatAnswer(vote.answer, rules: rules)
            if let camp = camps.firstIndex(where: { AnswerComparison($0.flat, flat).isEqual }) {
                camps[camp].votes.append(vote)
            } else {
                camps.append((flat, [vote]))
            }
        }
        let total = weight(of: votes)
        let shares = camps.map { total > 0 ? weight(of: $0.votes) / total : 0 }
        let order = camps.indices.sorted { (shares[$1], $0) < (shares[$0], $1) }
        let best = order[0]
        if shares[best] > shareAbove + 1e-12 {
            let others = order.dropFirst().flatMap { camps[$0].votes.map(\.annotator) }
            return .decided(
                answer: Self.wording(camps[best].votes), share: shares[best],
                dissenters: others.sorted())
        }
        return .disagreement(
            answers: order.map { Self.wording(camps[$0].votes) }, shares: order.map { shares[$0] })
    }

    private func weight(of votes: [RowVote]) -> Double {
        votes.reduce(0) { $0 + max(0, weights[$1.annotator] ?? 1) }
    }

    /// The most frequent text; of equally frequent ones the first in the alphabet.
    private static func wording(_ votes: [RowVote]) -> String {
        let counts = votes.reduce(into: [String: Int]()) { $0[$1.answer, default: 0] += 1 }
        return counts.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key ?? ""
    }
}
