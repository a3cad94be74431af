import Base
import Messages
import Resources
import Storage

extension Connection {
    /// Writes an evaluation with its rows; one that a job makes again replaces the first.
    func insert(_ stored: StoredEvaluation, of job: JobRecord, at now: Int64) throws {
        var evaluation = stored.evaluation
        evaluation.createTime = .init(nanoseconds: now)
        let name = try EvaluationName(evaluation.name, field: "name")
        let old = try first(
            "SELECT id FROM evaluations WHERE job_id = ? AND name = ?", .integer(job.id),
            .text(name.id)
        ) { $0.int64(0) }
        if let old {
            try run("DELETE FROM predictions WHERE evaluation_id = ?", .integer(old))
            try run("DELETE FROM evaluations WHERE id = ?", .integer(old))
        }
        try run(
            """
            INSERT INTO evaluations(job_id, name, is_baseline, split_sha, message, create_ns)
            VALUES(?, ?, ?, ?, ?, ?)
            """, .integer(job.id), .text(name.id), SQLValue(stored.isBaseline),
            .text(evaluation.splitSha256), .blob(try evaluation.encoded()), .integer(now))
        let key = lastKey
        for (position, prediction) in stored.predictions.enumerated() {
            try run(
                "INSERT INTO predictions VALUES(?, ?, ?, ?, ?, ?)", .integer(key),
                SQLValue(position), .real(prediction.score), .real(prediction.confidence),
                SQLValue(prediction.wellFormed), .blob(try prediction.encoded()))
        }
    }
}
