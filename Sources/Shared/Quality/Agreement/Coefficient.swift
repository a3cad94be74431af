/// The coefficients of agreement there are.
package enum AgreementStatistic: Sendable, CaseIterable {
    /// Share of pairs of votes that agree.
    case percent
    /// Two annotators (Cohen 1960, 1968).
    case cohenKappa
    /// Several annotators (Fleiss 1971), also with unequal numbers of votes.
    case fleissKappa
    /// Any number of votes (Krippendorff).
    case krippendorffAlpha
    /// Steady where one answer prevails (Gwet 2008); AC2 where disagreements are weighted.
    case gwetAC1
}

/// A coefficient with its uncertainty, or why there is none.
package struct AgreementCoefficient: Sendable, Hashable {
    package let statistic: AgreementStatistic
    /// 1 is perfect, 0 is chance; nil if it is not defined.
    package let value: Double?
    package let standardError: Double?
    package let interval: Interval?
    /// Rows it rests on.
    package let rows: Int
    /// Set where there is no value: why.
    package let undefinedReason: String?

    static func undefined(
        _ statistic: AgreementStatistic, rows: Int, _ reason: String
    ) -> AgreementCoefficient {
        AgreementCoefficient(
            statistic: statistic, value: nil, standardError: nil, interval: nil, rows: rows,
            undefinedReason: reason)
    }

    static func defined(
        _ statistic: AgreementStatistic, _ value: Double, error: Double?, interval: Interval?,
        rows: Int
    ) -> AgreementCoefficient {
        AgreementCoefficient(
            statistic: statistic, value: value, standardError: error, interval: interval,
            rows: rows, undefinedReason: nil)
    }
}

/// Coefficients over all votes of a table.
///
/// Intervals of Fleiss' kappa, alpha and AC1/AC2 use the variance over rows of the linearised
/// coefficient with Student's t (Gwet, Handbook of Inter-Rater Reliability, 4th edition, chapters
/// 5 and 6). That of the percentage is Wilson's with rows as trials: a row's share of agreeing
/// pairs varies no more than a yes or no of the same mean, so it is on the careful side.
package struct AgreementCoefficients: Sendable {
    private let rows: RatedRows
    private let scale: AgreementScale
    private let weights: DisagreementWeights
    private let level: Double
    /// How AC1/AC2 and Fleiss' kappa weigh pairs.
    private let pairWeights: PairWeights

    /// - Parameters:
    ///   - scale: what the answers of the table are
    ///   - weights: how disagreements count in kappa and AC2; alpha follows `scale` alone
    ///   - level: probability of the intervals, above 0 and below 1
    package init(
        _ table: VoteTable, scale: AgreementScale = .nominal,
        weights: DisagreementWeights = .equal, level: Double = 0.95
    ) {
        rows = RatedRows(table)
        (self.scale, self.weights, self.level) = (scale, weights, level)
        pairWeights = PairWeights(
            rows.canWeigh ? weights : .equal, positions: scale.positions(rows.answers))
    }

    /// Share of pairs of votes on the same row that agree.
    package var percent: AgreementCoefficient {
        let paired = rows.pairedCount
        guard paired > 0 else { return noPairs(.percent) }
        let value = rows.agreement(.equal(rows.answers)).reduce(0, +) / Double(paired)
        return .defined(
            .percent, value, error: nil,
            interval: .wilson(share: min(1, max(0, value)), count: Double(paired), level: level),
            rows: paired)
    }

    /// Fleiss' kappa, weighted where weights were asked for.
    package var fleissKappa: AgreementCoefficient {
        let shares = rows.shares
        return corrected(.fleissKappa, chance: pairWeights.applied(to: shares), shares)
    }

    /// Gwet's AC1; AC2 where weights were asked for.
    package var gwetAC1: AgreementCoefficient {
        guard rows.answers > 1 else { return oneAnswer(.gwetAC1) }
        let shares = rows.shares
        let count = Double(rows.answers)
        let factor = pairWeights.total / (count * (count - 1))
        return corrected(.gwetAC1, chance: shares.map { factor * (1 - $0) }, shares)
    }

    /// Krippendorff's alpha with the difference function of the scale.
    package var krippendorffAlpha: AgreementCoefficient {
        let paired = rows.paired
        let n = paired.count
        guard n > 0 else { return noPairs(.krippendorffAlpha) }
        if scale != .nominal, !rows.canWeigh { return tooMany(.krippendorffAlpha) }
        let weights = PairWeights(scale, margins: paired.margins)
        let votes = paired.totals.reduce(0, +)
        let mean = votes / Double(n)
        let shares = paired.margins.map { $0 / votes }
        let chance = weights.applied(to: shares)
        let expected = zip(shares, chance).reduce(0) { $0 + $1.0 * $1.1 }
        guard expected < 1 - 1e-12 else { return oneAnswer(.krippendorffAlpha) }
        let agreement = zip(paired.agreement(weights), paired.totals).map { $0 * $1 / mean }
        let plain = agreement.reduce(0, +) / Double(n)
        let observed = (1 - 1 / votes) * plain + 1 / votes
        let value = (observed - expected) / (1 - expected)
        let base = (plain - expected) / (1 - expected)
        let expectedOfRows = paired.weighted(by: chance)
        let linear = (0..<n).map { row in
            let excess = (paired.totals[row] - mean) / mean
            let own = (agreement[row] - observed * excess - expected) / (1 - expected)
            let chanceOfRow = expectedOfRows[row] / mean - expected * excess
            return own - 2 * (1 - base) * (chanceOfRow - expected) / (1 - expected)
        }
        return estimate(.krippendorffAlpha, value, linear: linear, around: base)
    }

    /// (observed - expected) / (1 - expected), where chance gives each answer its own share of
    /// the expected agreement.
    private func corrected(
        _ statistic: AgreementStatistic, chance: [Double], _ shares: [Double]
    ) -> AgreementCoefficient {
        let paired = rows.pairedCount
        guard paired > 0 else { return noPairs(statistic) }
        if weights != .equal, !rows.canWeigh { return tooMany(statistic) }
        let expected = zip(shares, chance).reduce(0) { $0 + $1.0 * $1.1 }
        guard expected < 1 - 1e-12 else { return oneAnswer(statistic) }
        let agreement = rows.agreement(pairWeights)
        let observed = agreement.reduce(0, +) / Double(paired)
        let value = (observed - expected) / (1 - expected)
        let expectedOfRows = rows.weighted(by: chance)
        let ratio = Double(rows.count) / Double(paired)
        let linear = (0..<rows.count).map { row in
            let isPaired = rows.totals[row] >= 2
            let own = isPaired ? ratio * (agreement[row] - expected) / (1 - expected) : 0
            let chanceOfRow = expectedOfRows[row] / rows.totals[row]
            return own - 2 * (1 - value) * (chanceOfRow - expected) / (1 - expected)
        }
        return estimate(statistic, value, linear: linear, around: value)
    }

    private func estimate(
        _ statistic: AgreementStatistic, _ value: Double, linear: [Double], around centre: Double
    ) -> AgreementCoefficient {
        let n = Double(linear.count)
        guard linear.count > 1 else {
            return .defined(statistic, value, error: nil, interval: nil, rows: linear.count)
        }
        let squares = linear.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
        let error = (squares / (n * (n - 1))).squareRoot()
        return .defined(
            statistic, value, error: error,
            interval: .student(value, error: error, rows: linear.count, level: level),
            rows: rows.pairedCount)
    }

    private func noPairs(_ statistic: AgreementStatistic) -> AgreementCoefficient {
        .undefined(statistic, rows: 0, "no row has two votes; at least one is needed")
    }

    private func oneAnswer(_ statistic: AgreementStatistic) -> AgreementCoefficient {
        .undefined(
            statistic, rows: rows.pairedCount,
            "all votes give the same answer; agreement beyond chance needs two answers")
    }

    private func tooMany(_ statistic: AgreementStatistic) -> AgreementCoefficient {
        .undefined(
            statistic, rows: rows.pairedCount,
            "\(rows.answers) answers; weights are computed for at most \(PairWeights.answersMax)")
    }
}

extension AgreementScale {
    /// Where each of `count` answers stands; answers without a value stand by their number.
    func positions(_ count: Int) -> [Double] {
        if case .interval(let values) = self, values.count == count { return values }
        return (0..<count).map(Double.init)
    }
}

/// How often each answer was given on each row.
struct RatedRows {
    let answers: Int
    private var starts: [Int] = [0]
    private var cells: [(answer: Int, votes: Double)] = []
    /// Votes on each row.
    private(set) var totals: [Double] = []

    init(_ table: VoteTable) {
        answers = table.answers.count
        for row in table.rows.indices {
            let choices = table.choices[table.votes(row)].sorted()
            let first = cells.count
            for choice in choices {
                if cells.count > first, cells[cells.count - 1].answer == choice {
                    cells[cells.count - 1].votes += 1
                } else {
                    cells.append((Int(choice), 1))
                }
            }
            close(total: Double(choices.count))
        }
    }

    private init(answers: Int) { self.answers = answers }

    private mutating func close(total: Double) {
        starts.append(cells.count)
        totals.append(total)
    }

    var count: Int { totals.count }
    /// Whether a matrix over all answers is still small.
    var canWeigh: Bool { answers <= PairWeights.answersMax }
    /// Rows with two votes or more.
    var pairedCount: Int { totals.count { $0 >= 2 } }

    /// Only rows with two votes or more.
    var paired: RatedRows {
        var kept = RatedRows(answers: answers)
        for row in totals.indices where totals[row] >= 2 {
            kept.cells += cells[starts[row]..<starts[row + 1]]
            kept.close(total: totals[row])
        }
        return kept
    }

    /// Votes for each answer.
    var margins: [Double] {
        cells.reduce(into: [Double](repeating: 0, count: answers)) { $0[$1.answer] += $1.votes }
    }

    /// The mean over rows of each answer's share of the votes.
    var shares: [Double] {
        var shares = [Double](repeating: 0, count: answers)
        for row in totals.indices {
            for cell in cells[starts[row]..<starts[row + 1]] {
                shares[cell.answer] += cell.votes / totals[row] / Double(count)
            }
        }
        return shares
    }

    /// The weighted share of agreeing pairs of votes on each row; 0 where there is no pair.
    func agreement(_ weights: PairWeights) -> [Double] {
        totals.indices.map { row in
            guard totals[row] >= 2 else { return 0 }
            let own = cells[starts[row]..<starts[row + 1]]
            var sum = 0.0
            for first in own {
                let met = own.reduce(0) { $0 + weights[first.answer, $1.answer] * $1.votes }
                sum += first.votes * (met - 1)
            }
            return sum / (totals[row] * (totals[row] - 1))
        }
    }

    /// The sum of `values` over the votes of each row.
    func weighted(by values: [Double]) -> [Double] {
        totals.indices.map { row in
            cells[starts[row]..<starts[row + 1]].reduce(0) { $0 + $1.votes * values[$1.answer] }
        }
    }
}
