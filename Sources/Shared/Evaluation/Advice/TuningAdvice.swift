import Foundation
import Quality

/// Whether to tune, with the numbers that say so.
package struct TuningAdvice: Sendable {
    package let verdict: AdviceVerdict
    /// In a few sentences.
    package let summary: String
    /// Those that decide first.
    package let reasons: [AdviceReason]
    /// Target minus best baseline, at least 0; nil without a baseline.
    package let gap: Double?
    /// The best of the baselines.
    package let best: BaselineScore?

    /// From this share of the target on tuning is likely not worth it.
    package static let notWorthShare = 0.9
    /// Below this share of the target tuning is likely worth it.
    package static let worthShare = 0.7
    /// With fewer test rows intervals are too wide to decide by.
    package static let testRowsMin = 200
    /// Prompts that differ by more than this point to tuning.
    package static let spreadMax = 0.05
    /// Rows answered differently when asked again, beyond which that points to tuning.
    package static let inconsistencyMax = 0.1
    /// Answers in the required form, below which that points to tuning.
    package static let formatMin = 0.98
    /// Errors of unknown classes or terms, beyond which that points to tuning.
    package static let unknownTermsMin = 0.2
    /// Changes of the schema in 90 days, from which on tuning has to be done over too often.
    package static let schemaChangesMax = 3

    /// Weighs the facts.
    package init(_ facts: TuningFacts) {
        best = facts.baselines.filter { $0.score.value.isFinite }
            .max { $0.score.value < $1.score.value }
        gap = best.map { max(0, facts.target - $0.score.value) }
        verdict = Self.verdict(facts, best?.score)
        let deciding = [
            Self.rows(facts), best.flatMap { Self.baseline($0, facts.target) },
            Self.testRows(facts),
            Self.tuned(facts), Self.lastRound(facts), Self.shots(facts),
        ]
        let others = [
            Self.spread(facts), Self.inconsistency(facts), Self.format(facts),
            Self.unknownTerms(facts), Self.schema(facts), Self.costs(facts),
        ]
        reasons = (deciding + others).compactMap { $0 }
        summary = Self.summary(verdict, facts, best, gap)
    }

    /// Where a score lies between the limits.
    private enum Band: Int {
        case reached, close, between, far

        init(_ score: Double, target: Double) {
            let share = score / target
            self =
                share >= 1
                ? .reached : share >= notWorthShare ? .close : share >= worthShare ? .between : .far
        }
    }

    private static func verdict(_ facts: TuningFacts, _ best: Estimate?) -> AdviceVerdict {
        if let tuned = facts.tuned {
            let isSpent =
                facts.roundGains.suffix(2).count == 2
                && facts.roundGains.suffix(2).allSatisfy { $0.lower <= 0 }
            return tuned.value >= facts.target || isSpent ? .stop : .continueTuning
        }
        guard facts.distinctRows >= SizeGuide.rowsForTuning else { return .doNotTune }
        guard let best, facts.target > 0 else { return .baselineFirst }
        let bands = [best.value, best.lower, best.upper].map { Band($0, target: facts.target) }
        // Both are against tuning, so it does not matter which of them the interval touches.
        if bands.allSatisfy({ $0 == .reached || $0 == .close }) {
            return bands[0] == .reached ? .doNotTune : .likelyNotWorth
        }
        return bands.allSatisfy { $0 == .far } ? .likelyWorth : .undecided
    }

    private static func rows(_ facts: TuningFacts) -> AdviceReason {
        let minimum = SizeGuide.rowsForTuning
        let isEnough = facts.distinctRows >= minimum
        return AdviceReason(
            "rows.minimum",
            Estimate("rows.distinct", Double(facts.distinctRows), count: facts.distinctRows),
            against: Double(minimum), isEnough ? .tuning : .against,
            isEnough
                ? "\(facts.distinctRows) distinct rows; \(minimum) are needed at least"
                : "\(facts.distinctRows) distinct rows are fewer than \(minimum): prompts with "
                    + "shots are likely to do as well; collect "
                    + "\(minimum - facts.distinctRows) more")
    }

    private static func baseline(_ best: BaselineScore, _ target: Double) -> AdviceReason? {
        guard target > 0 else { return nil }
        let share = best.score.value / target
        let direction: AdviceReason.Direction =
            share >= notWorthShare ? .against : share < worthShare ? .tuning : .neither
        let interval = best.score.interval.map {
            " (\(percent($0.lower)) to \(percent($0.upper)))"
        }
        return AdviceReason(
            "baseline.share_of_target",
            Estimate("baseline.share_of_target", share, count: best.score.count),
            against: share >= notWorthShare ? notWorthShare : worthShare, direction,
            "\(best.name) scores \(percent(best.score.value))\(interval ?? ""), "
                + "\(percent(share)) of the target of \(percent(target)); from "
                + "\(percent(notWorthShare)) on tuning is likely not worth it, below "
                + "\(percent(worthShare)) it is",
            source: best.source)
    }

    private static func testRows(_ facts: TuningFacts) -> AdviceReason? {
        guard let rows = facts.testRows, rows < testRowsMin else { return nil }
        return AdviceReason(
            "test.rows", Estimate("test.rows", Double(rows), count: rows),
            against: Double(testRowsMin), .neither,
            "\(rows) test rows are fewer than \(testRowsMin), so intervals are wide; add "
                + "\(testRowsMin - rows) before trusting small differences")
    }

    private static func tuned(_ facts: TuningFacts) -> AdviceReason? {
        guard let tuned = facts.tuned else { return nil }
        let isReached = tuned.value >= facts.target
        return AdviceReason(
            "tuned.target", tuned, against: facts.target, isReached ? .against : .tuning,
            "the best tuned model scores \(percent(tuned.value)); the target is "
                + percent(facts.target))
    }

    private static func lastRound(_ facts: TuningFacts) -> AdviceReason? {
        guard let last = facts.roundGains.last else { return nil }
        let hasGained = last.lower > 0
        return AdviceReason(
            "rounds.gain", last, against: 0, hasGained ? .tuning : .against,
            "round \(facts.roundGains.count) gained \(percent(last.value)), "
                + (hasGained ? "beyond chance" : "which may be chance")
                + "; two to four rounds are usual")
    }

    private static func shots(_ facts: TuningFacts) -> AdviceReason? {
        let scores = Dictionary(grouping: facts.baselines) { $0.shots > 0 }
            .compactMapValues { $0.map(\.score.value).max() }
        guard let with = scores[true], let without = scores[false] else { return nil }
        let gain = with - without
        return AdviceReason(
            "shots.gain", Estimate("shots.gain", gain, count: facts.baselines[0].score.count),
            against: 0, gain > 0 ? .against : .neither,
            "the best prompt with shots scores \(percent(with)), the best without "
                + "\(percent(without)); what shots gain needs no tuning")
    }

    private static func spread(_ facts: TuningFacts) -> AdviceReason? {
        facts.promptSpread.map { spread in
            AdviceReason(
                "prompts.spread", spread, against: spreadMax,
                spread.value > spreadMax ? .tuning : .neither,
                "prompts differ by \(percent(spread.value)); above \(percent(spreadMax)) answers "
                    + "hang on the wording")
        }
    }

    private static func inconsistency(_ facts: TuningFacts) -> AdviceReason? {
        share(
            facts.inconsistency, "prompts.inconsistency", against: inconsistencyMax,
            "of rows are answered differently when asked again; above "
                + "\(percent(inconsistencyMax)) prompting is not steady enough"
        ) { $0 > inconsistencyMax }
    }

    private static func format(_ facts: TuningFacts) -> AdviceReason? {
        // Held to a schema the base may need no tuning for form.
        let best = [facts.formatValid, facts.constrainedValid].compactMap { $0 }
            .max { ($0.value ?? 0) < ($1.value ?? 0) }
        return share(
            best, "format.valid", against: formatMin,
            "of the base's answers have the required form, at best of free and constrained "
                + "decoding; below \(percent(formatMin)) tuning helps"
        ) { $0 < formatMin }
    }

    private static func unknownTerms(_ facts: TuningFacts) -> AdviceReason? {
        share(
            facts.unknownTerms, "errors.unknown_terms", against: unknownTermsMin,
            "of the base's errors concern classes or terms that it never uses; from "
                + "\(percent(unknownTermsMin)) on its vocabulary is missing them"
        ) { $0 >= unknownTermsMin }
    }

    private static func share(
        _ share: Share?, _ rule: String, against threshold: Double, _ words: String,
        pointsToTuning: (Double) -> Bool
    ) -> AdviceReason? {
        guard let share, let estimate = Estimate(rule, share, higherIsBetter: nil) else {
            return nil
        }
        return AdviceReason(
            rule, estimate, against: threshold,
            pointsToTuning(estimate.value) ? .tuning : .neither,
            "\(percent(estimate.value)) \(words)")
    }

    private static func schema(_ facts: TuningFacts) -> AdviceReason? {
        facts.schemaChanges.map { changes in
            AdviceReason(
                "schema.changes",
                Estimate("schema.changes", Double(changes), count: changes, higherIsBetter: false),
                against: Double(schemaChangesMax),
                changes >= schemaChangesMax ? .against : .neither,
                "the task's schema changed \(changes) times in 90 days; each change asks for new "
                    + "annotations and tuning, which \(schemaChangesMax) or more make too costly")
        }
    }

    private static func costs(_ facts: TuningFacts) -> AdviceReason? {
        guard let costs = facts.monthlyCosts, costs.prompting.isFinite, costs.tuned.isFinite else {
            return nil
        }
        let saved = costs.prompting - costs.tuned
        return AdviceReason(
            "costs.monthly", Estimate("costs.saved", saved, count: 0), against: 0,
            saved > 0 ? .tuning : .against,
            String(
                format: "prompting costs %.2f a month, a tuned model %.2f", costs.prompting,
                costs.tuned))
    }

    private static func summary(
        _ verdict: AdviceVerdict, _ facts: TuningFacts, _ best: BaselineScore?, _ gap: Double?
    ) -> String {
        let numbers = best.map {
            "The best baseline, \($0.name), scores \(percent($0.score.value)) of a target of "
                + "\(percent(facts.target))\(gap.map { ", \(percent($0)) short" } ?? "")."
        }
        let words =
            switch verdict {
            case .doNotTune:
                facts.distinctRows < SizeGuide.rowsForTuning
                    ? "Do not tune: \(facts.distinctRows) distinct rows are too few."
                    : "Do not tune: prompting reaches the target."
            case .likelyNotWorth: "Tuning is likely not worth it."
            case .undecided: "The numbers do not decide: improve prompts or add test rows first."
            case .likelyWorth: "Tuning is likely worth it."
            case .baselineFirst: "Measure a baseline on the test split first."
            case .continueTuning: "Go on: the target is not reached and rounds still gain."
            case .stop: "Stop: the target is reached, or two rounds gained nothing beyond chance."
            }
        return [words, numbers].compactMap { $0 }.joined(separator: " ")
    }

    private static func percent(_ share: Double) -> String {
        String(format: "%.1f %%", 100 * share)
    }
}
