import Base
import Evaluation
import Messages
import Resources
import Storage

/// `CompareEvaluations`: evaluations on the same rows, metric by metric.
struct CompareEvaluations: Sendable {
    let shop: TrainerShop

    func callAsFunction(
        _ request: CompareEvaluationsRequest
    ) async throws -> CompareEvaluationsResponse {
        let base = try EvaluationName(request.baseline, field: "baseline")
        guard (1...TrainerLimits.candidatesMax).contains(request.candidates.count) else {
            throw ResourceError.invalid(
                field: "candidates", seen: "\(request.candidates.count)",
                allowed: "1 to \(TrainerLimits.candidatesMax) evaluations are allowed")
        }
        let names = try request.candidates.enumerated().map { (place, text) throws(ResourceError) in
            try EvaluationName(text, field: "candidates[\(place)]")
        }
        let bootstrap = try bootstrap(request)
        let (first, others) = try await shop.registry.store.reader.read { db in
            (try db.scoredRows(base), try names.map { try db.scoredRows($0) })
        }
        let version = try await shop.library.datasets.version(
            VersionName(first.evaluation.datasetVersion, field: "baseline"))
        var response = CompareEvaluationsResponse()
        response.mainMetric = first.evaluation.mainMetric
        response.rowCount = UInt64(first.rows.count)
        for (name, other) in zip(names, others) {
            var comparison = try first.compared(
                with: other, version, wanted: request.metrics, bootstrap)
            comparison.gainPerHour = try await gainPerHour(comparison, name, other)
            response.comparisons.append(comparison)
        }
        return response
    }

    private func bootstrap(_ request: CompareEvaluationsRequest) throws -> Bootstrap {
        if request.bootstrapDraws > 0 {
            try FieldRules.range("bootstrap_draws", request.bootstrapDraws, 100...100_000)
        }
        let level = request.confidenceLevel == 0 ? 0.95 : request.confidenceLevel
        guard level > 0.5, level < 1 else {
            throw ResourceError.invalid(
                field: "confidence_level", seen: "\(level)",
                allowed: "above 0.5 and below 1 is allowed")
        }
        return try Bootstrap(
            key: RandomKey(seed: request.seed),
            draws: request.bootstrapDraws == 0 ? 2_000 : Int(request.bootstrapDraws),
            level: level)
    }

    /// Points of the main metric for each hour that training the candidate took; 0 where no job
    /// trained it.
    private func gainPerHour(
        _ comparison: EvaluationComparison, _ name: EvaluationName, _ candidate: ScoredRows
    ) async throws -> Double {
        let adapter = candidate.evaluation.target?.adapter ?? ""
        guard let change = comparison.metrics.first?.change?.value, !adapter.isEmpty,
            let checkpoint = try? CheckpointName(adapter, field: "adapter")
        else { return 0 }
        let job = try await shop.registry.store.reader.read { db in
            try db.message(of: db.job(checkpoint.job))
        }
        let seconds = job.progress?.runningSeconds ?? 0
        return seconds > 0 ? 100 * change * 3_600 / seconds : 0
    }
}

/// An evaluation and its rows, to be held against others.
struct ScoredRows: Sendable {
    let evaluation: Messages.Evaluation
    let rows: [Prediction]

    /// All metrics that both have, the main one first.
    func paired(
        with other: ScoredRows, _ version: DatasetVersion
    ) throws -> [PairedMetric] {
        let limits = [self, other].map { $0.evaluation.measuring?.abstainConfidence ?? 0 }
        let abstains = limits.contains { $0 > 0 }
        let judged = try zip([self, other], limits).map { rows, limit in
            try AnswerScores.judge(
                rows.rows, version, abstainBelow: limit, abstains: abstains)
        }
        let metrics = try judged[0].paired(with: judged[1]) ?? []
        guard !metrics.contains(where: { $0.name == "format.valid" }) else { return metrics }
        return metrics + [
            PairedMetric(
                "format.valid",
                .right(baseline: rows.map(\.wellFormed), candidate: other.rows.map(\.wellFormed)))
        ]
    }

    func compared(
        with other: ScoredRows, _ version: DatasetVersion, wanted: [String],
        _ bootstrap: Bootstrap
    ) throws -> EvaluationComparison {
        try checkRows(other)
        let all = try paired(with: other, version)
        for metric in wanted where !all.contains(where: { $0.name == metric }) {
            throw ResourceError.invalid(
                field: "metrics", seen: metric,
                allowed: all.map(\.name).joined(separator: ", "))
        }
        let chosen = all.filter { wanted.isEmpty || wanted.contains($0.name) }
        var comparison = EvaluationComparison()
        comparison.candidate = other.evaluation.name
        comparison.metrics = try ModelComparison(chosen, bootstrap: bootstrap).differences.map {
            MetricComparison($0, level: bootstrap.level)
        }
        let counts = try GainedAndLost(
            baseline: rows.map { $0.score == 1 }, candidate: other.rows.map { $0.score == 1 },
            confidence: other.rows.map(\.confidence))
        comparison.gainedCount = UInt64(counts.gained.count)
        comparison.lostCount = UInt64(counts.lost.count)
        comparison.bothRightCount = UInt64(counts.bothRight)
        comparison.bothWrongCount = UInt64(counts.bothWrong)
        comparison.lostExamples = counts.lost.prefix(TrainerLimits.lostExamplesMax).map {
            rows[$0].example
        }
        return comparison
    }

    /// Throws unless both are of the same split and the same rows of it.
    private func checkRows(_ other: ScoredRows) throws(TrainerError) {
        let (a, b) = (evaluation.splitSha256, other.evaluation.splitSha256)
        guard a == b, rows.map(\.example) == other.rows.map(\.example) else {
            throw .evaluationsDiffer(first: a, second: b)
        }
    }
}

extension MetricComparison {
    init(_ difference: MetricDifference, level: Double) {
        self.init()
        (baseline, candidate) = (
            Measure(difference.baseline), Measure(difference.candidate)
        )
        (change, relativeChange) = (Measure(difference.change), difference.relativeChange)
        (pValue, test) = (difference.probability, difference.test.rawValue)
        significant = difference.isSignificant(level: level)
    }
}
