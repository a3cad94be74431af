import Quality
import TestSupport
import Testing

@Suite struct AgreementTests {
    private func votes(_ rows: [[String?]]) -> [RowVote] {
        rows.enumerated().flatMap { row, answers in
            answers.enumerated().compactMap { annotator, answer in
                answer.map { RowVote(row: row, annotator: "p\(annotator)", answer: $0) }
            }
        }
    }

    @Test func theLastVoteOfAPersonCounts() {
        let table = VoteTable([
            RowVote(row: 7, annotator: "a", answer: "x"),
            RowVote(row: 7, annotator: "b", answer: "y"),
            RowVote(row: 7, annotator: "a", answer: "y"),
        ])
        #expect(table.voteCount == 2)
        #expect(AgreementCoefficients(table).percent.value == 1)
    }

    @Test func nothingIsDefinedWithoutARowOfTwoVotes() {
        for table in [VoteTable([]), VoteTable(votes([["x"], [nil, "y"]]))] {
            let report = AgreementReport(table)
            #expect(report.overall.rowCount == 0)
            #expect(report.overall.coefficients.allSatisfy { $0.value == nil })
            #expect(report.overall.coefficients.allSatisfy { $0.undefinedReason != nil })
            #expect(report.overall.trusted == .percent)
        }
    }

    @Test func oneAnswerLeavesThePercentageOnly() {
        let group = AgreementGroup(key: "", VoteTable(votes([["x", "x"], ["x", "x"]])))
        #expect(group.coefficient(.percent)?.value == 1)
        #expect(group.coefficient(.fleissKappa)?.value == nil)
        #expect(group.coefficient(.gwetAC1)?.value == nil)
        #expect(group.trusted == .percent)
    }

    /// The paradox: 94 % agree and kappa says worse than chance.
    @Test func whereOneAnswerPrevailsAC1IsTrusted() {
        let rows: [[String?]] =
            Array(repeating: ["ok", "ok"], count: 94) + Array(repeating: ["ok", "bad"], count: 3)
            + Array(repeating: ["bad", "ok"], count: 3)
        let group = AgreementGroup(key: "", VoteTable(votes(rows)))
        #expect(group.trusted == .gwetAC1)
        #expect(group.prevalence == 0.97)
        #expect(group.trustReason.contains("97.0 %"))
        #expect((group.coefficient(.cohenKappa)?.value ?? 1) < 0)
        #expect((group.coefficient(.gwetAC1)?.value ?? 0) > 0.9)
    }

    @Test func theRuleNamesAnotherCoefficientForEachSituation() {
        let twoPeople = votes((0..<30).map { ["a", $0 % 2 == 0 ? "a" : "b"] })
        #expect(AgreementGroup(key: "", VoteTable(twoPeople)).trusted == .cohenKappa)
        let three: [[String?]] = (0..<30).map { $0 % 2 == 0 ? ["a", "a", "b"] : ["b", "b", "b"] }
        #expect(AgreementGroup(key: "", VoteTable(votes(three))).trusted == .fleissKappa)
        let gaps = three + [["a", nil, "b"]]
        #expect(AgreementGroup(key: "", VoteTable(votes(gaps))).trusted == .krippendorffAlpha)
        var ordered = AgreementReport.Settings()
        ordered.scale = .ordinal
        let group = AgreementGroup(key: "", VoteTable(votes(three)), ordered)
        #expect(group.trusted == .krippendorffAlpha)
    }

    @Test func aCarelessPersonStandsOutAndConfusionsAreNamed() {
        var random = SeededRandom(seed: 4)
        let rows: [[String?]] = (0..<200).map { _ in
            let truth = ["cat", "dog", "bird"].randomElement(using: &random)
            return [truth, truth, truth, ["cat", "dog"].randomElement(using: &random)]
        }
        let report = AgreementReport(VoteTable(votes(rows)))
        let percents = report.annotators.map { $0.coefficient(.percent)?.value ?? 0 }
        #expect(report.annotators.map(\.key) == ["p0", "p1", "p2", "p3"])
        #expect(percents[3] < 0.45)
        #expect(percents[0] > 0.7)
        #expect(report.pairs.count == 6)
        #expect(report.pairs.contains { $0.key == "p0|p1" && $0.coefficient(.percent)?.value == 1 })
        #expect(report.classes.count == 3)
        #expect(report.confusions.allSatisfy { $0.first < $0.second })
        let pairs = report.confusions.map(\.pairCount)
        #expect(pairs == pairs.sorted(by: >))
        #expect(pairs.reduce(0, +) > 0)
    }

    @Test func thousandsOfAnswersAreRefusedWeightsButNotCoefficients() {
        let rows: [[String?]] = (0..<2_500).map { ["\($0)", $0 % 3 == 0 ? "\($0 + 1)" : "\($0)"] }
        let all = AgreementCoefficients(VoteTable(votes(rows)), scale: .ordinal, weights: .linear)
        #expect(all.krippendorffAlpha.undefinedReason?.contains("2000") == true)
        #expect(all.fleissKappa.value == nil)
        let plain = AgreementCoefficients(VoteTable(votes(rows)))
        #expect(isClose(plain.fleissKappa.value, 0.6664, within: 1e-3))
    }

    @Test func wilsonsIntervalIsThatOfThePublishedTable() {
        // Newcombe, Two-sided confidence intervals for the single proportion (1998): 81 of 263.
        let interval = Share(81, of: 263).interval
        #expect(isClose(interval?.lower, 0.2553, within: 5e-5))
        #expect(isClose(interval?.upper, 0.3662, within: 5e-5))
        #expect(Share(0, of: 20).interval?.lower == 0)
        #expect(Share(20, of: 20).interval?.upper == 1)
        #expect(Share(0, of: 0).interval == nil)
    }
}
