import Base
import Evaluation
import Messages
import Resources
import Storage

extension TrainerStore {
    /// `GetEvaluation`.
    func get(_ request: GetEvaluationRequest) async throws -> GetEvaluationResponse {
        let name = try EvaluationName(request.name, field: "name")
        if request.thumbnailSidePixels != 0 {
            try FieldRules.range("thumbnail_side_pixels", request.thumbnailSidePixels, 16...512)
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

extension TrainerShop {
    /// `GetEvaluation`, with pictures of the rows where they are asked for.
    func evaluation(_ request: GetEvaluationRequest) async throws -> GetEvaluationResponse {
        let response = try await registry.store.get(request)
        let side = Int(request.thumbnailSidePixels)
        guard side > 0, !response.predictions.isEmpty else { return response }
        let name = try EvaluationName(request.name, field: "name")
        let evaluation = try await registry.store.reader.read { db in
            try db.evaluation(name).message
        }
        return try await desk.run {
            var response = response
            try await library.addThumbnails(
                to: &response.predictions, of: evaluation, side: side)
            return response
        }
    }
}

extension RowLibrary {
    /// Puts small pictures of their rows beside predictions. A row that was erased since has none.
    ///
    /// - Parameter side: most pixels of the longer side
    func addThumbnails(
        to predictions: inout [Prediction], of evaluation: Messages.Evaluation, side: Int
    ) async throws {
        guard !predictions.isEmpty else { return }
        let version = try await datasets.version(
            VersionName(evaluation.datasetVersion, field: "name"))
        let split = SplitKind(plainName: evaluation.split) ?? .test
        if try kept(split, of: version) == nil {
            try await fetch(split, of: version) { _ in try Task.checkCancellation() }
        }
        guard let pack = try kept(split, of: version) else { return }
        var places: [String: Int] = [:]
        for (place, prediction) in predictions.enumerated() { places[prediction.example] = place }
        for index in 0..<pack.count where !places.isEmpty {
            guard case .example(let row)? = try pack.row(index).part,
                let place = places.removeValue(forKey: row.example)
            else { continue }
            let whole = try await whole(pack, index, of: split, version)
            predictions[place].thumbnailJpeg = Thumbnail.jpeg(of: whole, side: side) ?? Bytes()
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
