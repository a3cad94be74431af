import Evaluation
import Foundation
import Messages
import Quality

/// What to run next: a baseline, QLoRA, LoRA of larger rank, all weights, each only where the one
/// before fell short.
struct TuningPlan {
    let model: String
    let version: String
    let target: Double
    let rounds: [TunedRound]

    /// Ranks of the two steps with adapters.
    static let ranks: (first: UInt32, second: UInt32) = (16, 64)

    /// - Returns: nothing where the advice is against tuning
    func steps(_ advice: TuningAdvice) -> [PlanStep] {
        guard ![.doNotTune, .likelyNotWorth, .stop].contains(advice.verdict) else { return [] }
        let (qlora, lora, full) = (
            best { $0.method == .qlora }, larger, best { $0.method == .full }
        )
        var steps: [PlanStep] = []
        if advice.best == nil {
            let work = JobSpec.Work.baseline(
                .with { ($0.model, $0.datasetVersion) = (model, version) })
            steps.append(step(work, "nothing was measured yet", ""))
        }
        if qlora == nil, lora == nil, full == nil {
            steps.append(
                step(
                    train(.qlora, rank: Self.ranks.first), "least memory, close to LoRA",
                    advice.best == nil ? "the baseline scores below \(percent(target))" : ""))
        }
        if lora == nil, full == nil {
            steps.append(
                step(
                    train(.lora, rank: secondRank), reason("more capacity", after: qlora),
                    gate("QLoRA", qlora)))
        }
        if full == nil {
            steps.append(
                step(
                    train(.full, rank: 0), reason("all weights", after: lora ?? qlora),
                    gate("LoRA of rank \(secondRank)", lora)))
        }
        return steps
    }

    private func best(_ isWanted: (TrainSpec) -> Bool) -> TunedRound? {
        rounds.filter { $0.spec.map(isWanted) ?? false }.max { $0.score < $1.score }
    }

    /// The best LoRA of the larger rank.
    private var larger: TunedRound? {
        best { $0.method == .lora && ($0.adapter?.rank ?? 0) >= Self.ranks.second }
    }

    /// Above every rank that was tried with QLoRA.
    private var secondRank: UInt32 {
        let tried =
            rounds.compactMap(\.spec).filter { $0.method == .qlora }
            .compactMap { $0.adapter?.rank }.max() ?? 0
        return max(Self.ranks.second, min(2 * tried, 256))
    }

    private func reason(_ words: String, after round: TunedRound?) -> String {
        guard let round, let spec = round.spec else { return words }
        let rank = spec.adapter.map { $0.rank > 0 ? " of rank \($0.rank)" : "" } ?? ""
        return
            "\(words): \(spec.method.plainName)\(rank) scored \(percent(round.score)) of a target"
            + " of \(percent(target))"
    }

    /// A condition only where the step before has not been run yet.
    private func gate(_ before: String, _ round: TunedRound?) -> String {
        round == nil ? "\(before) scores below \(percent(target))" : ""
    }

    private func train(_ method: TuningMethod, rank: UInt32) -> JobSpec.Work {
        .train(
            .with {
                ($0.model, $0.datasetVersion, $0.method) = (model, version, method)
                if rank > 0 { $0.adapter = .with { $0.rank = rank } }
            })
    }

    private func step(
        _ work: JobSpec.Work, _ reason: String, _ gate: String
    ) -> PlanStep {
        .with {
            $0.spec = .with { $0.work = work }
            ($0.reason, $0.gate) = (reason, gate)
        }
    }

    private func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}

extension TuningFacts {
    /// What baselines say: the scores of all, the rest from the newest.
    mutating func take(_ found: [EvaluationRecord]) {
        baselines = found.flatMap(\.baselineScores)
        guard let newest = found.last?.message else { return }
        promptSpread = newest.promptSpread.map { Estimate($0) }
        let free = newest.prompts.filter { !$0.constrained }
        let held = newest.prompts.filter(\.constrained)
        inconsistency = Self.best(free)?.inconsistency.flatMap(Self.share)
        formatValid = Self.best(free).flatMap(Self.form)
        constrainedValid = Self.best(held).flatMap(Self.form)
        unknownTerms = Self.unknown(newest)
    }

    private static func best(_ prompts: [PromptScore]) -> PromptScore? {
        prompts.max { ($0.measures.first?.value ?? 0) < ($1.measures.first?.value ?? 0) }
    }

    private static func form(_ prompt: PromptScore) -> Share? {
        let names = ["format.schema_valid", "format.valid"]
        return names.lazy.compactMap { name in prompt.measures.first { $0.name == name } }.first
            .flatMap(share)
    }

    private static func share(_ measure: Measure) -> Share? {
        let count = Int(measure.sampleCount)
        guard count > 0 else { return nil }
        return Share(Int((measure.value * Double(count)).rounded()), of: count)
    }

    /// Of the errors, those in classes that no answer named; nil without classes or errors.
    private static func unknown(_ evaluation: Messages.Evaluation) -> Share? {
        let never = Set(evaluation.classes.filter { $0.predictedCount == 0 }.map(\.name))
        let errors = evaluation.confusion.filter { $0.actual != $0.predicted || $0.actual.isEmpty }
        let all = errors.reduce(0) { $0 + Int($1.rowCount) }
        guard !evaluation.classes.isEmpty, all > 0 else { return nil }
        let unknown = errors.filter { never.contains($0.actual) }
        return Share(unknown.reduce(0) { $0 + Int($1.rowCount) }, of: all)
    }
}
