import Foundation

/// Which answers are probably right, from votes of people of unequal care.
///
/// Expectation maximisation over the true answers and each person's matrix of confusions (Dawid
/// and Skene, Maximum Likelihood Estimation of Observer Error-Rates, 1979), started from the
/// shares of votes, with `smoothing` votes added to every cell so that few votes do not decide.
package struct DawidSkene: Sendable {
    /// Probability of each answer for each row: `[rows × answers]`.
    package let probabilities: [Double]
    /// Probability that a person gives an answer where another is true:
    /// `[annotators × answers × answers]`, true ones slowest.
    package let confusions: [Double]
    /// Share of each answer among the rows.
    package let shares: [Double]
    /// Rounds until nothing moved by more than 1e-6, or the most allowed.
    package let rounds: Int
    private let answers: Int

    /// A row's distribution over more answers than this is not estimated.
    package static let answersMax = 200

    /// Nil if there are no votes, fewer than two answers or more than `answersMax`.
    package init?(_ table: VoteTable, roundsMax: Int = 100, smoothing: Double = 0.01) {
        let answers = table.answers.count
        guard answers >= 2, answers <= Self.answersMax, table.voteCount > 0 else { return nil }
        var state = Expectation(table, answers: answers, smoothing: smoothing)
        var rounds = 0
        while rounds < roundsMax {
            rounds += 1
            state.maximise(table)
            if state.expect(table) < 1e-6 { break }
        }
        (self.answers, self.rounds) = (answers, rounds)
        (probabilities, confusions) = (state.probabilities, state.confusions)
        shares = state.shares
    }

    /// The probabilities of a row's answers.
    package func row(_ row: Int) -> ArraySlice<Double> {
        probabilities[row * answers..<(row + 1) * answers]
    }

    /// The most probable answer of a row.
    package func best(_ row: Int) -> Int {
        (0..<answers).max {
            (probabilities[row * answers + $0], $1) < (probabilities[row * answers + $1], $0)
        } ?? 0
    }

    /// Rows whose present answer is less probable than another, least probable first.
    ///
    /// - Parameter present: number of the answer that each row of the table has now; nil if none
    package func suspects(_ present: [Int?]) -> [LabelSuspect] {
        var found: [LabelSuspect] = []
        for (row, answer) in present.enumerated() {
            guard let answer, best(row) != answer else { continue }
            found.append(
                LabelSuspect(
                    row: row, answer: answer, suggested: best(row),
                    quality: probabilities[row * answers + answer]))
        }
        return found.sorted { ($0.quality, $0.row) < ($1.quality, $1.row) }
    }

    /// Expected share of wrong answers among the present ones; nil without any.
    package func noise(_ present: [Int?]) -> Double? {
        let right = present.enumerated().compactMap { row, answer in
            answer.map { probabilities[row * answers + $0] }
        }
        return right.isEmpty ? nil : 1 - right.reduce(0, +) / Double(right.count)
    }
}

/// An answer that is probably wrong.
package struct LabelSuspect: Sendable, Hashable {
    /// Place of the row in the table.
    package let row: Int
    package let answer: Int
    package let suggested: Int
    /// Probability that the answer is right.
    package let quality: Double
}

/// The state between rounds.
private struct Expectation {
    var probabilities: [Double]
    var confusions: [Double]
    var shares: [Double]
    let answers: Int
    let smoothing: Double

    init(_ table: VoteTable, answers: Int, smoothing: Double) {
        (self.answers, self.smoothing) = (answers, smoothing)
        probabilities = [Double](repeating: 0, count: table.rows.count * answers)
        confusions = [Double](repeating: 0, count: table.annotators.count * answers * answers)
        shares = [Double](repeating: 0, count: answers)
        for row in table.rows.indices {
            let votes = table.votes(row)
            for vote in votes {
                probabilities[row * answers + Int(table.choices[vote])] += 1 / Double(votes.count)
            }
        }
    }

    /// Shares and confusions from the probabilities.
    mutating func maximise(_ table: VoteTable) {
        for cell in confusions.indices { confusions[cell] = smoothing }
        for answer in shares.indices { shares[answer] = smoothing }
        for row in table.rows.indices {
            for answer in 0..<answers {
                let probability = probabilities[row * answers + answer]
                shares[answer] += probability
                for vote in table.votes(row) {
                    let voter = Int(table.voters[vote])
                    let start = (voter * answers + answer) * answers
                    confusions[start + Int(table.choices[vote])] += probability
                }
            }
        }
        Self.scale(&shares, from: 0, count: answers)
        for start in stride(from: 0, to: confusions.count, by: answers) {
            Self.scale(&confusions, from: start, count: answers)
        }
    }

    /// Probabilities from shares and confusions; returns the largest change.
    mutating func expect(_ table: VoteTable) -> Double {
        let logs = confusions.map(log)
        let logShares = shares.map(log)
        var change = 0.0
        for row in table.rows.indices {
            var scores = logShares
            for vote in table.votes(row) {
                let start = Int(table.voters[vote]) * answers * answers
                for answer in 0..<answers {
                    scores[answer] += logs[start + answer * answers + Int(table.choices[vote])]
                }
            }
            // The largest is taken off, so that long products do not vanish.
            let top = scores.max() ?? 0
            var values = scores.map { exp($0 - top) }
            Self.scale(&values, from: 0, count: answers)
            for answer in 0..<answers {
                change = max(change, abs(values[answer] - probabilities[row * answers + answer]))
                probabilities[row * answers + answer] = values[answer]
            }
        }
        return change
    }

    /// Makes a range add up to 1.
    private static func scale(_ values: inout [Double], from start: Int, count: Int) {
        let sum = values[start..<start + count].reduce(0, +)
        for index in start..<start + count { values[index] = values[index] / sum }
    }
}
