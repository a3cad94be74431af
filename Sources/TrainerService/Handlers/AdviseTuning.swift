import Base
import Evaluation
import Messages
import Resources
import Storage

/// `AdviseTuning`: whether tuning is worth it, from what was measured so far.
struct AdviseTuning: Sendable {
    let shop: TrainerShop

    func callAsFunction(_ request: AdviseTuningRequest) async throws -> AdviseTuningResponse {
        let version = try await shop.library.datasets.version(
            VersionName(request.datasetVersion, field: "dataset_version"))
        guard let target = request.targetScore ?? version.targetScore else {
            throw ResourceError.required(field: "target_score")
        }
        guard target > 0, target <= 1 else {
            throw ResourceError.invalid(
                field: "target_score", seen: "\(target)", allowed: "above 0 to 1 is allowed")
        }
        let test = version.splits.first { $0.split == .test } ?? SplitSummary()
        let all = try await evaluations(request, on: test.splitSha256)
        let rows = version.exampleCount - min(version.erasedCount, version.exampleCount)
        var facts = TuningFacts(distinctRows: Int(rows), target: target)
        facts.testRows = Int(test.exampleCount)
        facts.baselines = all.filter(\.isBaseline).flatMap(\.baselineScores)
        facts.promptSpread = all.last { $0.isBaseline }?.message.promptSpread.map { Estimate($0) }
        let tuned = all.filter { !$0.isBaseline && !($0.message.target?.adapter ?? "").isEmpty }
        facts.tuned = tuned.compactMap(\.main).max { $0.value < $1.value }
        if let price = request.alternativePricePerImage, request.imagesPerMonth > 0 {
            let prompting = price * Double(request.imagesPerMonth)
            // A month of this server.
            facts.monthlyCosts = (prompting, shop.pricePerHour * 730)
        }
        let advice = TuningAdvice(facts)
        var response = AdviseTuningResponse(advice, target: target)
        response.models = try await models(request)
        response.plan = plan(request, version, advice)
        return response
    }

    /// The evaluations on a test split, or those that the request names, the oldest first.
    private func evaluations(
        _ request: AdviseTuningRequest, on split: String
    ) async throws -> [EvaluationRecord] {
        let names = try request.baselines.map { (text) throws(ResourceError) in
            try EvaluationName(text, field: "baselines")
        }
        return try await shop.registry.store.reader.read { db in
            let all = try db.evaluations(
                "WHERE split_sha = ? ORDER BY create_ns, id", .text(split))
            guard !names.isEmpty else { return all }
            let chosen = try names.map { try db.evaluation($0) }
            return chosen + all.filter { !$0.isBaseline }
        }
    }

    private func models(_ request: AdviseTuningRequest) async throws -> [ModelChoice] {
        let all = try await shop.registry.store.reader.read { db in try db.models("") }
        let memory = HostMemory.bytes
        let chosen = all.filter { request.model.isEmpty || "\($0.name)" == request.model }
        let choices = chosen.map { record -> ModelChoice in
            let model = record.message
            let size = model.parts.reduce(0) { $0 + $1.sizeBytes }
            let fits = size < UInt64(memory)
            return .with {
                $0.model = model.name
                $0.suitability = fits ? 1 - Double(size) / Double(max(memory, 1)) : 0
                $0.reasons = [
                    "\(size) bytes of weights; this server has \(memory) bytes",
                    "\(model.contextTokensMax) tokens of context",
                ]
                $0.fits = fits
            }
        }
        return choices.sorted { ($1.suitability, $0.model) < ($0.suitability, $1.model) }
    }

    /// Baseline, QLoRA, LoRA of larger rank, all weights: each where the one before falls short.
    private func plan(
        _ request: AdviseTuningRequest, _ version: DatasetVersion, _ advice: TuningAdvice
    ) -> [PlanStep] {
        guard ![.doNotTune, .likelyNotWorth, .stop].contains(advice.verdict) else { return [] }
        func step(_ work: JobSpec.Work, _ reason: String, _ gate: String) -> PlanStep {
            .with {
                $0.spec = .with { $0.work = work }
                ($0.reason, $0.gate) = (reason, gate)
            }
        }
        func train(_ method: Messages.TuningMethod, rank: UInt32) -> JobSpec.Work {
            .train(
                .with {
                    ($0.model, $0.datasetVersion) = (request.model, version.name)
                    $0.method = method
                    if rank > 0 { $0.adapter = .with { $0.rank = rank } }
                })
        }
        let baseline = step(
            .baseline(
                .with { ($0.model, $0.datasetVersion) = (request.model, version.name) }),
            "nothing was measured yet", "")
        let steps = [
            step(train(.qlora, rank: 16), "least memory, close to LoRA", ""),
            step(train(.lora, rank: 64), "more capacity", "QLoRA falls short of the target"),
            step(train(.full, rank: 0), "all weights", "LoRA of rank 64 falls short too"),
        ]
        return (advice.best == nil ? [baseline] : []) + steps
    }
}

extension EvaluationRecord {
    /// The main metric.
    var main: Estimate? { message.measures.first.map { Estimate($0) } }

    /// A score for each way of asking.
    var baselineScores: [BaselineScore] {
        let prompts = message.prompts.compactMap { prompt in
            prompt.measures.first.map {
                BaselineScore(
                    name: "\(prompt.prompt?.promptID ?? ""), \(prompt.shotCount) shots",
                    score: Estimate($0), source: message.name)
            }
        }
        return prompts.isEmpty
            ? main.map { [BaselineScore(name: "row", score: $0, source: message.name)] } ?? []
            : prompts
    }
}

extension AdviseTuningResponse {
    init(_ advice: TuningAdvice, target: Double) {
        self.init()
        verdict =
            switch advice.verdict {
            case .doNotTune: .doNotTune
            case .likelyNotWorth: .likelyNotWorth
            case .undecided: .undecided
            case .likelyWorth: .likelyWorth
            case .baselineFirst: .baselineFirst
            case .continueTuning: .continue
            case .stop: .stop
            }
        (summary, targetScore) = (advice.summary, target)
        bestBaseline = advice.best.map { Measure($0.score) }
        evidence = advice.reasons.map { reason in
            .with {
                ($0.rule, $0.observed) = (reason.rule, Measure(reason.observed))
                $0.threshold = reason.threshold ?? 0
                $0.direction =
                    switch reason.direction {
                    case .neither: .unspecified
                    case .tuning: .for
                    case .against: .against
                    }
                ($0.explanation, $0.source) = (reason.explanation, reason.source)
            }
        }
    }
}
