import Base
import Evaluation
import Quality
import Testing

@Suite struct AdviceTests {
    private func facts(
        _ value: Double?, _ interval: (Double, Double)? = nil, rows: Int = 1_000
    ) -> TuningFacts {
        var facts = TuningFacts(distinctRows: rows, target: 0.9)
        if let value {
            let spread = interval.map {
                Interval(lower: $0.0, upper: $0.1, level: 0.95, method: .wilson)
            }
            facts.baselines = [
                BaselineScore(name: "plain", score: Estimate("accuracy", 0.1, count: 200)),
                BaselineScore(
                    name: "3 shots", shots: 3,
                    score: Estimate("accuracy", value, interval: spread, count: 200)),
            ]
        }
        return facts
    }

    @Test func tooFewRowsAreNotTunedOn() throws {
        let advice = TuningAdvice(facts(0.2, rows: 299))
        #expect(advice.verdict == .doNotTune)
        let reason = try #require(advice.reasons.first)
        #expect(reason.rule == "rows.minimum")
        #expect(reason.direction == .against)
        #expect(reason.threshold == 300)
        #expect(reason.explanation.contains("collect 1 more"))
        #expect(TuningAdvice(facts(0.2, rows: 300)).verdict == .likelyWorth)
    }

    @Test func theShareOfTheTargetDecides() {
        #expect(TuningAdvice(facts(nil)).verdict == .baselineFirst)
        #expect(TuningAdvice(facts(0.95, (0.91, 0.98))).verdict == .doNotTune)
        #expect(TuningAdvice(facts(0.92, (0.85, 0.96))).verdict == .doNotTune)
        #expect(TuningAdvice(facts(0.92, (0.75, 0.99))).verdict == .undecided)
        #expect(TuningAdvice(facts(0.85, (0.82, 0.89))).verdict == .likelyNotWorth)
        #expect(TuningAdvice(facts(0.82)).verdict == .likelyNotWorth)
        #expect(TuningAdvice(facts(0.85, (0.78, 0.92))).verdict == .undecided)
        #expect(TuningAdvice(facts(0.7, (0.66, 0.74))).verdict == .undecided)
        #expect(TuningAdvice(facts(0.58, (0.54, 0.62))).verdict == .likelyWorth)
        #expect(TuningAdvice(facts(0.6, (0.54, 0.66))).verdict == .undecided)
    }

    @Test func theGapAndTheBestBaselineAreNamed() {
        let advice = TuningAdvice(facts(0.58))
        #expect(isClose(advice.gap, 0.32))
        #expect(advice.best?.name == "3 shots")
        #expect(advice.summary.contains("32.0 % short"))
    }

    @Test func everyFactGivenBecomesAReasonWithItsDirection() {
        var facts = facts(0.58)
        facts.testRows = 150
        facts.promptSpread = Estimate("prompt_spread", 0.2, count: 150)
        facts.inconsistency = Share(3, of: 100)
        facts.unknownTerms = Share(40, of: 100)
        facts.formatValid = Share(50, of: 100)
        facts.constrainedValid = Share(100, of: 100)
        facts.schemaChanges = 4
        facts.monthlyCosts = (prompting: 900, tuned: 300)
        let advice = TuningAdvice(facts)
        let directions = Dictionary(
            uniqueKeysWithValues: advice.reasons.map { ($0.rule, $0.direction) })
        #expect(
            directions == [
                "rows.minimum": .tuning, "baseline.share_of_target": .tuning,
                "shots.gain": .against,
                "test.rows": .neither, "prompts.spread": .tuning,
                "prompts.inconsistency": .neither, "errors.unknown_terms": .tuning,
                "format.valid": .neither, "schema.changes": .against, "costs.monthly": .tuning,
            ])
    }

    @Test func roundsGoOnWhileTheyGain() {
        func gain(_ value: Double, _ lower: Double) -> Estimate {
            Estimate(
                "accuracy", value,
                interval: Interval(lower: lower, upper: 1, level: 0.95, method: .bootstrap),
                count: 200)
        }
        var facts = facts(0.58)
        facts.tuned = Estimate("accuracy", 0.8, count: 200)
        facts.roundGains = [gain(0.2, 0.1), gain(0.01, -0.02)]
        #expect(TuningAdvice(facts).verdict == .continueTuning)
        facts.roundGains.append(gain(0.01, -0.01))
        #expect(TuningAdvice(facts).verdict == .stop)
        facts.roundGains = []
        facts.tuned = Estimate("accuracy", 0.91, count: 200)
        #expect(TuningAdvice(facts).verdict == .stop)
    }
}

@Suite struct LearningCurveTests {
    @Test func errorsThatFallAsAPowerAreContinued() throws {
        let points = [100, 400, 1_600].map {
            LearningCurve.Point(rows: $0, score: 1 - 2 / Double($0).squareRoot())
        }
        let curve = try #require(LearningCurve(points))
        #expect(isClose(curve.exponent, 0.5))
        #expect(isClose(curve.score(rows: 6_400), 1 - 2 / 80))
        #expect(isClose(curve.rows(score: 0.975).map(Double.init), 6_400, within: 2e-4))
        #expect(curve.score(rows: 17_000) == nil)
        #expect(curve.rows(score: 0.999) == nil)
        #expect(curve.rows(score: 1) == nil)
        #expect(curve.score(rows: 0) == nil)
        #expect(curve.score(rows: 1) == 0)
    }

    @Test func curvesNeedThreeSizesAndFallingErrors() {
        func curve(_ scores: [Double], _ rows: [Int]) -> LearningCurve? {
            LearningCurve(zip(rows, scores).map { LearningCurve.Point(rows: $0, score: $1) })
        }
        #expect(curve([0.5, 0.6, 0.7], [100, 100, 200]) == nil)
        #expect(curve([0.7, 0.6, 0.5], [100, 200, 300]) == nil)
        #expect(curve([0.7, 1, .nan, 0.8], [100, 200, 300, -4]) == nil)
        #expect(curve([0.5, 0.6, 0.7], [100, 200, 300]) != nil)
    }
}

@Suite struct FailureTests {
    private func row(_ name: Int, _ change: (inout FailedRow) -> Void) -> FailedRow {
        var row = FailedRow(example: "row \(name)", score: 0)
        row.confidence = Double(name) / 100
        change(&row)
        return row
    }

    @Test func eachKindOfErrorHasItsAction() throws {
        let malformed = (0..<3).map { row($0) { $0.isWellFormed = false } }
        let confused = (10..<20).map {
            row($0) { ($0.actualClass, $0.answeredClass) = ("scratch", "dent") }
        }
        let outside = (20..<24).map { row($0) { $0.actualClass = "dent" } }
        let invented = (30..<32).map { row($0) { $0.inventedFields = ["/vat"] } }
        let single = row(40) { $0.wrongFields = ["/rare"] }
        var context = FailureContext(rowCount: 200, target: 0.9)
        context.testRows = ["scratch": 50]
        context.trainRows = ["scratch": 100]
        context.trainExamples = ["/vat": ["train 1"], "dent": ["train 2"]]
        let groups = FailureAnalysis(
            malformed + confused + outside + invented + [single], context: context
        ).groups
        #expect(groups.map(\.rowCount) == [10, 4, 3, 2])
        #expect(
            groups.map(\.action) == [
                .collectRows, .reviewAnnotations, .strengthenFormat, .reviewAnnotations,
            ])
        // 20 % errors to 10 % take four times the rows.
        #expect(groups[0].wantedRows == 300)
        #expect(groups[0].description == "class scratch is wrong, taken for dent (10)")
        #expect(groups[0].proposal.hasPrefix("collect 300 rows of class scratch: 10 errors"))
        #expect(groups[0].examples.first == "row 19")
        #expect(isClose(groups[0].share, 0.5))
        #expect(groups[1].trainExamples == ["train 2"])
        #expect(groups[3].trainExamples == ["train 1"])
    }

    @Test func worseSlicesAreAugmentedIfTheyAreOfQuality() throws {
        let names = (0..<40).map { "row \($0)" }
        let scores = (0..<40).map { $0 < 10 ? 0.0 : 1 }
        let slices = [
            "sharpness": (0..<40).map { [$0 < 12 ? "low" : "high"] },
            "source": (0..<40).map { [$0 < 12 ? "scan" : "photo"] },
        ]
        var context = FailureContext(rowCount: 40, target: 0.9)
        context.rowNames = names
        context.worseSlices = try SliceReport(
            scores: scores, slices: slices,
            bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100)
        ).lines
        let failed = (0..<10).map { row($0) { _ in } }
        let groups = FailureAnalysis(failed, context: context).groups
        #expect(groups.map(\.action) == [.augment, .collectRows])
        #expect(groups[0].description == "sharpness low is worse than the rest")
    }

    @Test func unlearnedTrainRowsAskForCapacityAndSpentRoundsForAnEnd() {
        var context = FailureContext(rowCount: 10, target: 0.9)
        context.trainScore = 0.6
        context.roundGains = [0, 0].map { Estimate("accuracy", $0, count: 10) }
        let groups = FailureAnalysis([row(1) { _ in }], context: context).groups
        #expect(groups.map(\.action) == [.raiseCapacity, .stop])
        #expect(FailureAnalysis([], context: context).groups.isEmpty)
    }

    @Test(arguments: [
        (100, 0.2, 0.1, 300), (100, 0.1, 0.1, 0), (0, 0.5, 0.1, 0), (5, 0.11, 0.1, 20),
        (10, 0.9, 0.0, 100),
    ])
    func wantedRowsFollowTheRootOfTheirNumber(
        present: Int, errors: Double, wanted: Double, expected: Int
    ) {
        let found = FailureAnalysis.wantedRows(
            present: present, errors: errors, errorsWanted: wanted)
        #expect(found == expected)
    }
}
