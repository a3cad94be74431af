import Base
import Evaluation
import Messages
import Resources
import Storage

extension TrainerStore {
    /// `GetEvaluation`.
    func get(_ request: GetEvaluationRequest) async throws -> GetEvaluationResponse {
        let name = try EvaluationName(request.name, field: "name")
        guard request.thumbnailSidePixels == 0 else {
            throw TrainerError.notBuilt(what: "thumbnails of predictions")
        }
        guard request.predictions.isKnown else {
            throw ResourceError.invalid(
                field: "predictions", seen: "\(request.predictions)",
                allowed: PredictionFilter.allKnown.map(\.plainName).joined(separator: ", "))
        }
        let mark = "predictions|\(request.name)|\(request.predictions.rawValue)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        return try await reader.read { db in
            let stored = try db.evaluation(name)
            var response = GetEvaluationResponse()
            if after == nil { response.evaluation = stored.message }
            guard request.predictions != .unspecified else { return response }
            let (condition, order) = request.predictions.sql
            response.predictionCount = UInt64(
                try db.first(
                    "SELECT count(*) FROM predictions WHERE evaluation_id = ? AND \(condition)",
                    .integer(stored.id)
                ) { $0.int(0) } ?? 0)
            let skipped = Int(after?.id ?? 0)
            let found = try db.rows(
                """
                SELECT message FROM predictions WHERE evaluation_id = ? AND \(condition)
                ORDER BY \(order), position LIMIT ? OFFSET ?
                """, .integer(stored.id), SQLValue(size), SQLValue(skipped)
            ) { $0.blob(0) }
            response.predictions = try found.map { try Prediction(decoding: $0) }
            let end = skipped + found.count
            if end < Int(response.predictionCount) {
                response.nextPageToken = PageToken(key: "", id: Int64(end)).text(for: mark)
            }
            return response
        }
    }

    /// `CompareEvaluations`.
    func compare(
        _ request: CompareEvaluationsRequest
    ) async throws -> CompareEvaluationsResponse {
        let base = try EvaluationName(request.baseline, field: "baseline")
        guard (1...TrainerLimits.candidatesMax).contains(request.candidates.count) else {
            throw ResourceError.invalid(
                field: "candidates", seen: "\(request.candidates.count)",
                allowed: "1 to \(TrainerLimits.candidatesMax) evaluations are allowed")
        }
        let names = try request.candidates.map { (text) throws(ResourceError) in
            try EvaluationName(text, field: "candidates")
        }
        let (first, others) = try await reader.read { db in
            (try db.scoredRows(base), try names.map { try db.scoredRows($0) })
        }
        let bootstrap = try Bootstrap(
            key: RandomKey(seed: request.seed),
            draws: request.bootstrapDraws == 0 ? 2_000 : Int(request.bootstrapDraws),
            level: request.confidenceLevel == 0 ? 0.95 : request.confidenceLevel)
        var response = CompareEvaluationsResponse()
        response.mainMetric = first.evaluation.mainMetric
        response.rowCount = UInt64(first.rows.count)
        response.comparisons = try others.map { other in
            try first.compared(with: other, wanted: request.metrics, bootstrap)
        }
        return response
    }
}

/// An evaluation and its rows, to be held against others.
struct ScoredRows: Sendable {
    let evaluation: Messages.Evaluation
    let rows: [Prediction]

    func compared(
        with other: ScoredRows, wanted: [String], _ bootstrap: Bootstrap
    ) throws -> EvaluationComparison {
        let (a, b) = (evaluation.splitSha256, other.evaluation.splitSha256)
        guard a == b, rows.map(\.example) == other.rows.map(\.example) else {
            throw TrainerError.evaluationsDiffer(first: a, second: b)
        }
        let right = rows.map { $0.score == 1 }
        let otherRight = other.rows.map { $0.score == 1 }
        let all = [
            PairedMetric("right", .right(baseline: right, candidate: otherRight)),
            PairedMetric(
                "score",
                .means(baseline: rows.map(\.score), candidate: other.rows.map(\.score))),
            PairedMetric(
                "format.valid",
                .right(
                    baseline: rows.map(\.wellFormed), candidate: other.rows.map(\.wellFormed))),
        ]
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
            baseline: right, candidate: otherRight, confidence: other.rows.map(\.confidence))
        comparison.gainedCount = UInt64(counts.gained.count)
        comparison.lostCount = UInt64(counts.lost.count)
        comparison.bothRightCount = UInt64(counts.bothRight)
        comparison.bothWrongCount = UInt64(counts.bothWrong)
        comparison.lostExamples = counts.lost.prefix(TrainerLimits.lostExamplesMax).map {
            rows[$0].example
        }
        return comparison
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

extension PredictionFilter {
    /// Which rows, and in which order.
    fileprivate var sql: (condition: String, order: String) {
        switch self {
        case .wrong: ("score < 1", "score")
        case .surprising:
            ("1", "CASE WHEN score < 1 THEN 1 - confidence ELSE confidence END")
        case .malformed: ("is_well_formed = 0", "position")
        default: ("1", "position")
        }
    }
}

/// An evaluation as the store has it.
struct EvaluationRecord: Sendable {
    let id: Int64
    let message: Messages.Evaluation
    let isBaseline: Bool
}

extension Connection {
    /// Evaluations that a condition in SQL chooses.
    func evaluations(_ condition: String, _ values: SQLValue...) throws -> [EvaluationRecord] {
        var found: [(Int64, Bytes, Bool)] = []
        try each("SELECT id, message, is_baseline FROM evaluations \(condition)", values) { row in
            found.append((row.int64(0), row.blob(1), row.bool(2)))
            return true
        }
        return try found.map { id, message, isBaseline in
            EvaluationRecord(
                id: id, message: try Messages.Evaluation(decoding: message),
                isBaseline: isBaseline)
        }
    }

    /// The evaluation of this name.
    func evaluation(_ name: EvaluationName) throws -> EvaluationRecord {
        let job = try job(name.job)
        let found = try evaluations(
            "WHERE job_id = ? AND name = ?", .integer(job.id), .text(name.id)
        ).first
        guard let found else {
            throw ResourceError.notFound(type: "fovea.trainer.v1.Evaluation", name: "\(name)")
        }
        return found
    }

    /// An evaluation with all its rows.
    func scoredRows(_ name: EvaluationName) throws -> ScoredRows {
        let stored = try evaluation(name)
        let found = try rows(
            "SELECT message FROM predictions WHERE evaluation_id = ? ORDER BY position",
            .integer(stored.id)
        ) { $0.blob(0) }
        return ScoredRows(
            evaluation: stored.message, rows: try found.map { try Prediction(decoding: $0) })
    }
}
