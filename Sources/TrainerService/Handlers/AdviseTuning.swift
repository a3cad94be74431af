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
        let baselines = try await baselines(request, on: test.splitSha256)
        let rounds = try await shop.registry.store.reader.read { db in
            try db.rounds(on: test.splitSha256)
        }
        let rows = version.exampleCount - min(version.erasedCount, version.exampleCount)
        var facts = TuningFacts(distinctRows: Int(rows), target: target)
        facts.testRows = Int(test.exampleCount)
        facts.take(baselines)
        facts.roundGains = rounds.compactMap(\.gain)
        facts.tuned = rounds.compactMap { $0.evaluation.measures.first }.map { Estimate($0) }
            .max { $0.value < $1.value }
        facts.schemaChanges = try await schemaChanges(version)
        if let price = request.alternativePricePerImage, request.imagesPerMonth > 0 {
            let prompting = price * Double(request.imagesPerMonth)
            // A month of this server.
            facts.monthlyCosts = (prompting, shop.pricePerHour * 730)
        }
        let advice = TuningAdvice(facts)
        var response = AdviseTuningResponse(advice, target: target)
        response.models = try await models(request)
        response.roundGains = facts.roundGains.map { Measure($0) }
        response.learningCurve = try await learningCurve(rounds, version)
        let fitting = response.models.first { $0.fits }?.model ?? ""
        response.plan = TuningPlan(
            model: request.model.isEmpty ? fitting : request.model, version: version.name,
            target: target, rounds: rounds
        ).steps(advice)
        return response
    }

    /// Baselines on a test split, or those that the request names, the oldest first.
    private func baselines(
        _ request: AdviseTuningRequest, on split: String
    ) async throws -> [EvaluationRecord] {
        let names = try request.baselines.enumerated().map { (place, text) throws(ResourceError) in
            try EvaluationName(text, field: "baselines[\(place)]")
        }
        return try await shop.registry.store.reader.read { db in
            guard !names.isEmpty else {
                return try db.evaluations(
                    "WHERE split_sha = ? AND is_baseline = 1 ORDER BY create_ns, id", .text(split))
            }
            return try names.map { name in
                let found = try db.evaluation(name)
                guard found.message.splitSha256 == split else {
                    throw TrainerError.evaluationsDiffer(
                        first: found.message.splitSha256, second: split)
                }
                return found
            }
        }
    }

    /// Changes of the schema in the last 90 days; nil where they are not known: the dataset counts
    /// its changes, but not when they were.
    private func schemaChanges(_ version: DatasetVersion) async throws -> Int? {
        let name = try VersionName(version.name, field: "dataset_version")
        let dataset = try await shop.library.datasets.dataset(of: name)
        let age = shop.registry.store.clock() - (dataset.createTime?.nanoseconds ?? 0)
        let isYoung = age < 90 * 86_400 * 1_000_000_000
        return isYoung || dataset.schemaRevision == 0 ? Int(dataset.schemaRevision) : nil
    }

    /// The score at each number of train rows that was tried, and at twice the most of them.
    private func learningCurve(
        _ rounds: [TunedRound], _ version: DatasetVersion
    ) async throws -> [LearningCurvePoint] {
        var sizes: [String: UInt64] = [:]
        var points: [LearningCurvePoint] = []
        for round in rounds {
            guard let measure = round.evaluation.measures.first,
                let name = round.spec?.datasetVersion,
                let parsed = try? VersionName(name, field: "dataset_version")
            else { continue }
            if sizes[name] == nil {
                let trained = try? await shop.library.datasets.version(parsed)
                sizes[name] = trained?.splits.first { $0.split == .train }?.exampleCount ?? 0
            }
            guard let rows = sizes[name], rows > 0 else { continue }
            points.append(.with { ($0.rowCount, $0.score) = (rows, measure) })
        }
        points.sort { $0.rowCount < $1.rowCount }
        let curve = LearningCurve(
            points.map { .init(rows: Int($0.rowCount), score: $0.score?.value ?? 0) })
        let beyond = (points.last?.rowCount ?? 0) * 2
        if let score = curve?.score(rows: Int(beyond)), var measure = points.last?.score {
            (measure.value, measure.interval) = (score, nil)
            points.append(
                .with { ($0.rowCount, $0.score, $0.extrapolated) = (beyond, measure, true) })
        }
        return points
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
}

extension EvaluationRecord {
    /// A score for each way of asking.
    var baselineScores: [BaselineScore] {
        let prompts = message.prompts.compactMap { prompt in
            prompt.measures.first.map {
                BaselineScore(
                    name: "\(prompt.prompt?.promptID ?? ""), \(prompt.shotCount) shots"
                        + (prompt.constrained ? ", held to the classes" : ""),
                    shots: Int(prompt.shotCount), score: Estimate($0), source: message.name)
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
