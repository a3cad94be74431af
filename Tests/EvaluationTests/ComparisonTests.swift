import Base
import Quality
import TestSupport
import Testing

@testable import Evaluation

@Suite struct ComparisonTests {
    private let bootstrap: Bootstrap

    init() throws { bootstrap = try Bootstrap(key: RandomKey(seed: 7), draws: 500) }

    @Test func theSameKeyGivesTheSameIntervalAndAnotherGivesAnother() throws {
        let values = (0..<40).map { Double($0 * $0 % 17) }
        let first = bootstrap.interval(ofMean: values)
        #expect(first == bootstrap.interval(ofMean: values))
        #expect(first != bootstrap.child("other").interval(ofMean: values))
        let accelerated = try Bootstrap(
            key: RandomKey(seed: 7), draws: 500, reading: .accelerated)
        #expect(accelerated.interval(ofMean: values) != first)
    }

    @Test func drawsAndLevelsOutsideTheirRangeAreRefused() {
        #expect(throws: EvaluationError.drawsOutOfRange(seen: 99)) {
            try Bootstrap(key: RandomKey(seed: 1), draws: 99)
        }
        for level in [0.5, 1, .nan] {
            #expect(throws: EvaluationError.self) {
                try Bootstrap(key: RandomKey(seed: 1), level: level)
            }
        }
    }

    @Test func rowsAreDrawnEvenly() {
        let counts = (0..<2_000).reduce(into: Array(repeating: 0, count: 7)) { counts, draw in
            for row in Bootstrap.rows(7, of: RandomKey(seed: 3).child(draw)) { counts[row] += 1 }
        }
        // 2,000 each; five standard deviations are 207.
        #expect(counts.allSatisfy { abs($0 - 2_000) < 207 }, "\(counts)")
    }

    @Test func intervalsHoldTheTruthAboutAsOftenAsTheySay() throws {
        var random = SeededRandom(seed: 11)
        var held = 0
        for round in 0..<200 {
            let values = (0..<60).map { _ in Double.random(in: 0..<1, using: &random) }
            let interval = try #require(
                Bootstrap(key: RandomKey(seed: UInt64(round)), draws: 200)
                    .interval(ofMean: values))
            if interval.lower <= 0.5, interval.upper >= 0.5 { held += 1 }
        }
        // 95 % of 200 are 190; four standard deviations are 12.
        #expect((178...200).contains(held), "\(held)")
    }

    @Test func oneRowHasNoInterval() {
        #expect(bootstrap.interval(ofMean: [1]) == nil)
        #expect(bootstrap.interval(ofMean: []) == nil)
        #expect(bootstrap.interval(rows: 5) { _ in nil } == nil)
    }

    @Test func aModelDoesNotDifferFromItself() throws {
        let right = (0..<50).map { $0 % 3 == 0 }
        let comparison = try ModelComparison(
            [
                PairedMetric("accuracy", .right(baseline: right, candidate: right)),
                PairedMetric("score", .means(baseline: [0.1, 0.5], candidate: [0.1, 0.5])),
            ], bootstrap: bootstrap)
        #expect(comparison.differences.map(\.probability) == [1, 1])
        #expect(comparison.differences.map(\.change.value) == [0, 0])
        #expect(comparison.differences.map(\.test) == [.exactMcNemar, .bootstrap])
    }

    @Test func aClearGainIsSignificantAndCorrectedForTheNumberOfMetrics() throws {
        let before = (0..<100).map { $0 < 40 }
        let after = (0..<100).map { $0 < 70 }
        let scores = (before.map { $0 ? 1.0 : 0.25 }, after.map { $0 ? 1.0 : 0.25 })
        let comparison = try ModelComparison(
            [
                PairedMetric("accuracy", .right(baseline: before, candidate: after)),
                PairedMetric("score", .means(baseline: scores.0, candidate: scores.1)),
                PairedMetric(
                    "f1",
                    .statistics(
                        rows: 100, baseline: { Double($0.count { $0 < 40 }) },
                        candidate: { Double($0.count { $0 < 70 }) })),
                PairedMetric("none", .means(baseline: [], candidate: [])),
            ], bootstrap: bootstrap)
        let first = try #require(comparison.differences.first)
        #expect(comparison.differences.count == 3)
        #expect(first.test == .mcNemar)
        #expect(isClose(first.change.value, 0.3))
        #expect(isClose(first.relativeChange, 0.75))
        // 0.3 ± 1.96 · √(0.3 · 0.7 / 100); 500 draws know a quantile to about 0.01.
        #expect(abs(first.change.lower - 0.21) < 0.03)
        #expect(abs(first.change.upper - 0.39) < 0.03)
        #expect(comparison.differences.allSatisfy { $0.isSignificant(level: 0.95) })
        let alone = ChanceTests.McNemar(firstOnly: 0, secondOnly: 30).probability
        #expect(isClose(first.probability, 3 * alone))
    }

    @Test func gainedAndLostRowsAreNamed() throws {
        let rows = try GainedAndLost(
            baseline: [true, true, false, false, true],
            candidate: [true, false, true, false, false],
            confidence: [1, 0.2, 1, 1, 0.9])
        #expect(rows.gained == [2])
        #expect(rows.lost == [4, 1])
        #expect([rows.bothRight, rows.bothWrong] == [1, 1])
        #expect(throws: EvaluationError.self) {
            try GainedAndLost(baseline: [true], candidate: [])
        }
    }

    @Test func surprisingRowsComeFirst() {
        let order = SurprisingRows.order(
            scores: [1, 0, 1, 0, 0], confidences: [0.95, 0.8, 0.1, 0.1, .nan])
        #expect(order == [2, 1, 3, 0])
    }

    @Test func onlySlicesBeyondChanceAreWorse() throws {
        let scores = (0..<200).map { $0 < 40 ? Double($0 % 4 == 0 ? 1 : 0) : 1 }
        let slices = [
            "sharpness": (0..<200).map { [$0 < 40 ? "low" : "high"] },
            "tags": (0..<200).map { $0 % 2 == 0 ? ["even", "all"] : ["all"] },
        ]
        let report = try SliceReport(scores: scores, slices: slices, bootstrap: bootstrap)
        #expect(report.lines.filter(\.isWorse).map(\.bucket) == ["low"])
        #expect(report.lines.map(\.bucket) == ["high", "low", "all", "even"])
        #expect(report.lines[1].score.value == 0.25)
        #expect(throws: EvaluationError.self) {
            try SliceReport(scores: scores, slices: ["tags": []], bootstrap: bootstrap)
        }
    }

    @Test func numbersFallIntoRangesWithAsManyRowsEach() {
        let values = (0..<100).map(Double.init) + [.nan]
        let buckets = NumberBuckets(values, count: 4)
        let names = values.map(buckets.name)
        #expect(names.last == "unknown")
        let counts = Dictionary(grouping: names.dropLast()) { $0 }.values.map(\.count)
        #expect(counts == [25, 25, 25, 25])
        #expect(NumberBuckets([3, 3, 3]).name(of: 3) == "3 to 3")
        #expect(NumberBuckets([]).edges.isEmpty)
    }

    @Test func degradedImagesAreComparedRowByRow() throws {
        let found = try #require(
            try Robustness(
                transform: "rotate", strength: 0.5, plain: [1, 1, 0, 1], degraded: [1, 0, 0, 1],
                bootstrap: bootstrap))
        #expect(found.score.value == 0.5)
        #expect(found.change.value == -0.25)
        #expect(found.change.upper <= 0)
    }

    @Test func promptsThatScoreAlikeHaveNoSpread() throws {
        let same = try #require(
            try PromptSteadiness.spread([[1, 0, 1], [1, 0, 1]], bootstrap: bootstrap))
        #expect([same.value, same.upper] == [0, 0])
        let spread = try PromptSteadiness.spread([[1, 1, 1], [0, 0, 1]], bootstrap: bootstrap)
        #expect(isClose(spread?.value, 2.0 / 3))
        #expect(try PromptSteadiness.spread([[1]], bootstrap: bootstrap) == nil)
    }

    @Test func answersThatDifferInLayoutOnlyAreConsistent() {
        let share = PromptSteadiness.inconsistency(
            [[#"{"a":1,"b":2}"#, #"{ "b": 2, "a": 1 }"#], ["x", "y"], ["x"], ["x", " x "]])
        #expect([share.successes, share.trials] == [1, 3])
    }

    @Test func confidenceOutsideItsRangeIsRefused() {
        #expect(throws: EvaluationError.outOfRange(what: "the confidence", row: 1, seen: 1.5)) {
            try ConfidenceReport(confidences: [0, 1.5], isRight: [true, true])
        }
        #expect(throws: EvaluationError.notFinite(what: "the confidence", row: 0)) {
            try ConfidenceReport(confidences: [.nan], isRight: [true])
        }
    }

    @Test func handingOverUnsureRowsLowersErrors() throws {
        let confidences = (0..<200).map { Double($0) / 200 }
        let isRight = (0..<200).map { $0 >= 100 || $0 % 2 == 0 }
        let report = try ConfidenceReport(confidences: confidences, isRight: isRight)
        let first = try #require(report.abstention.first)
        #expect(first.coverage == 1)
        #expect(first.errors.successes == 50)
        #expect(report.abstention.count <= ConfidenceReport.stepsMax)
        #expect(
            zip(report.abstention, report.abstention.dropFirst()).allSatisfy {
                $0.coverage > $1.coverage && $0.threshold < $1.threshold
            })
        let step = try #require(report.threshold(errorsMax: 0.05))
        #expect(step.threshold > 0.4 && step.coverage > 0.3)
        #expect((step.errors.interval?.upper ?? 1) <= 0.05)
        #expect(report.threshold(errorsMax: 0) == nil)
    }

    @Test func temperatureIsFittedOnlyWhereThereIsABest() throws {
        #expect(Temperature.fit(confidences: [0.9, 0.8], isRight: [true, true]) == nil)
        #expect(Temperature.fit(logits: [], classes: []) == nil)
        #expect(Temperature.fit(logits: [[1, .infinity]], classes: [0]) == nil)
        #expect(Temperature.fit(logits: [[1, 2]], classes: [2]) == nil)
        #expect(isClose(Temperature.scaled(0.7, by: 1), 0.7))
        #expect(Temperature.scaled(1, by: 2) < 1)
    }
}
