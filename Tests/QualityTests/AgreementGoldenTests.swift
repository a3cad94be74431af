import Quality
import Testing
import Text

/// Coefficients equal those of krippendorff, statsmodels and irrCAC.
@Suite struct AgreementGoldenTests {
    private static func table(_ rows: JSONNode) -> VoteTable {
        var votes: [RowVote] = []
        for (row, choices) in rows.elements.enumerated() {
            for (annotator, choice) in choices.elements.enumerated() {
                guard let choice = choice.int else { continue }
                votes.append(RowVote(row: row, annotator: "\(annotator)", answer: "\(choice)"))
            }
        }
        return VoteTable(votes)
    }

    private static func expect(
        _ found: AgreementCoefficient, _ expected: [Double], _ comment: Comment
    ) {
        #expect(isClose(found.value, expected[0]), comment)
        #expect(isClose(found.standardError, expected[1]), comment)
        #expect(isClose(found.interval?.lower, expected[2], within: 1e-8), comment)
        // irrCAC cuts at 1, statsmodels does not.
        #expect(isClose(found.interval?.upper, min(1, expected[3]), within: 1e-8), comment)
    }

    @Test func coefficientsOfSeveralRatersEqualThoseOfIrrCAC() throws {
        let cases = try GoldenFile.read("agreement").needed("raters")
        #expect(cases.count >= 5)
        for golden in cases.elements {
            let table = try Self.table(golden.needed("rows"))
            let positions = table.answers.compactMap(Double.init)
            for (name, weights) in [
                ("identity", DisagreementWeights.equal), ("linear", .linear),
                ("quadratic", .quadratic),
            ] {
                let expected = try golden.needed(name)
                let isPlain = weights == .equal
                let found = AgreementCoefficients(
                    table, scale: isPlain ? .nominal : .interval(positions), weights: weights)
                let comment: Comment = "\(golden["name"]?.string ?? ""), \(name)"
                Self.expect(
                    found.fleissKappa, try expected.needed("fleissKappa").numbers, comment)
                Self.expect(found.gwetAC1, try expected.needed("gwetAC1").numbers, comment)
                // irrCAC weighs alpha too; ours has the weights that Krippendorff defines.
                if weights != .linear {
                    Self.expect(
                        found.krippendorffAlpha,
                        try expected.needed("krippendorffAlpha").numbers, comment)
                }
                if isPlain {
                    #expect(isClose(found.percent.value, expected["percent"]?.double), comment)
                }
            }
        }
    }

    @Test func alphaEqualsThatOfKrippendorffOnAllScales() throws {
        for golden in try GoldenFile.read("agreement").needed("raters").elements {
            let table = try Self.table(golden.needed("rows"))
            let positions = table.answers.compactMap(Double.init)
            let alphas = try golden.needed("alpha")
            for (name, scale) in [
                ("nominal", AgreementScale.nominal), ("ordinal", .ordinal),
                ("interval", .interval(positions)),
            ] {
                let found = AgreementCoefficients(table, scale: scale).krippendorffAlpha
                #expect(isClose(found.value, alphas[name]?.double), "\(name)")
            }
        }
    }

    @Test func fleissKappaEqualsThatOfStatsmodels() throws {
        let complete = try GoldenFile.read("agreement").needed("raters").elements
            .filter { $0["statsmodelsFleiss"] != nil }
        #expect(complete.count >= 2)
        for golden in complete {
            let found = AgreementCoefficients(try Self.table(golden.needed("rows"))).fleissKappa
            #expect(isClose(found.value, golden["statsmodelsFleiss"]?.double))
        }
    }

    @Test func cohenKappaEqualsThatOfStatsmodels() throws {
        for golden in try GoldenFile.read("agreement").needed("pairs").elements {
            var votes: [RowVote] = []
            let table = try golden.needed("table").elements.map(\.whole)
            for (first, counts) in table.enumerated() {
                for (second, count) in counts.enumerated() {
                    for _ in 0..<count {
                        let row = votes.count / 2
                        votes.append(RowVote(row: row, annotator: "a", answer: "\(first)"))
                        votes.append(RowVote(row: row, annotator: "b", answer: "\(second)"))
                    }
                }
            }
            let pair = PairedVotes(VoteTable(votes), 0, other: 1)
            for (name, weights) in [
                ("equal", DisagreementWeights.equal), ("linear", .linear),
                ("quadratic", .quadratic),
            ] {
                Self.expect(
                    pair.cohenKappa(weights: weights), try golden.needed(name).numbers,
                    "\(golden["name"]?.string ?? ""), \(name)")
            }
        }
    }
}
