/// Votes of one person beside those of another, or of all others, on the same rows.
package struct PairedVotes: Sendable {
    private struct Cell { let first, second: Int, share: Double }

    private let answers: Int
    private let positions: [Double]
    private var starts: [Int] = [0]
    private var cells: [Cell] = []

    /// - Parameters:
    ///   - annotator: number of one person in the table
    ///   - other: number of the other; nil for all others, who then share each row's weight
    package init(
        _ table: VoteTable, _ annotator: Int, other: Int?, scale: AgreementScale = .nominal
    ) {
        answers = table.answers.count
        positions = scale.positions(answers)
        for row in table.rows.indices {
            add(table, table.votes(row), annotator, other)
        }
    }

    private mutating func add(
        _ table: VoteTable, _ votes: Range<Int>, _ annotator: Int, _ other: Int?
    ) {
        guard let own = votes.first(where: { table.voters[$0] == annotator }) else { return }
        let others = votes.filter { vote in
            vote != own && (other.map { table.voters[vote] == $0 } ?? true)
        }
        guard !others.isEmpty else { return }
        let first = Int(table.choices[own])
        for vote in others {
            cells.append(
                Cell(
                    first: first, second: Int(table.choices[vote]), share: 1 / Double(others.count))
            )
        }
        starts.append(cells.count)
    }

    /// Votes for each answer: one's own once a row, and those of the others.
    var margins: [Int] {
        var counts = [Int](repeating: 0, count: answers)
        for row in 0..<rowCount {
            counts[cells[starts[row]].first] += 1
            for cell in cells[starts[row]..<starts[row + 1]] { counts[cell.second] += 1 }
        }
        return counts
    }

    /// Rows on which both voted.
    package var rowCount: Int { starts.count - 1 }

    /// Share of agreeing votes, rows weighing the same; Wilson's interval with rows as trials.
    package func percent(level: Double = 0.95) -> AgreementCoefficient {
        guard rowCount > 0 else { return .undefined(.percent, rows: 0, Self.noRows) }
        let agreeing = cells.reduce(0) { $0 + ($1.first == $1.second ? $1.share : 0) }
        let value = min(1, agreeing / Double(rowCount))
        return .defined(
            .percent, value, error: nil,
            interval: .wilson(share: value, count: Double(rowCount), level: level), rows: rowCount)
    }

    /// Cohen's kappa.
    ///
    /// With votes as the rows of a two-way table, the variance is that of Fleiss, Cohen and
    /// Everitt, Large sample standard errors of kappa and weighted kappa (1969).
    package func cohenKappa(
        weights: DisagreementWeights = .equal, level: Double = 0.95
    ) -> AgreementCoefficient {
        guard rowCount > 0 else { return .undefined(.cohenKappa, rows: 0, Self.noRows) }
        if weights != .equal, answers > PairWeights.answersMax {
            return .undefined(
                .cohenKappa, rows: rowCount,
                "\(answers) answers; weights are computed for at most \(PairWeights.answersMax)")
        }
        let pairs = PairWeights(weights, positions: positions)
        var firsts = [Double](repeating: 0, count: answers)
        var seconds = firsts
        for cell in cells {
            firsts[cell.first] += cell.share / Double(rowCount)
            seconds[cell.second] += cell.share / Double(rowCount)
        }
        let firstChance = pairs.applied(to: seconds)
        let secondChance = pairs.applied(to: firsts)
        let expected = zip(firsts, firstChance).reduce(0) { $0 + $1.0 * $1.1 }
        guard expected < 1 - 1e-12 else {
            return .undefined(
                .cohenKappa, rows: rowCount,
                "both give the same answer always; agreement beyond chance needs two answers")
        }
        let observed =
            cells.reduce(0) { $0 + pairs[$1.first, $1.second] * $1.share }
            / Double(rowCount)
        let influences = (0..<rowCount).map { row in
            cells[starts[row]..<starts[row + 1]].reduce(0) { sum, cell in
                let chance = firstChance[cell.first] + secondChance[cell.second]
                let own = pairs[cell.first, cell.second] * (1 - expected)
                return sum + cell.share * (own - chance * (1 - observed))
            }
        }
        let centre = observed * expected - 2 * expected + observed
        let squares = influences.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
        let error = squares.squareRoot() / Double(rowCount) / (1 - expected) / (1 - expected)
        let value = (observed - expected) / (1 - expected)
        return .defined(
            .cohenKappa, value, error: error,
            interval: .normal(value, error: error, level: level), rows: rowCount)
    }

    private static let noRows = "no row has votes of both; at least one is needed"
}
