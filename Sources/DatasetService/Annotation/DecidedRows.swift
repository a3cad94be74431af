import Base
import Messages
import Storage

/// Rows that have an answer, looked at one by one.
struct DecidedRows {
    let dataset: DatasetRecord
    let db: Connection

    /// A row with its answer.
    struct Row {
        let name: ExampleName
        let answer: String
        /// Revision of the guidelines it was decided under; 0 for none.
        let revision: Int
    }

    /// Calls `body` with each.
    func forEach(_ body: (Row) -> Void) throws {
        var failure: (any Error)?
        try db.each(
            """
            SELECT row_id, payload FROM examples JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND state = ? ORDER BY row_id
            """, [.integer(dataset.id), SQLValue(Int(ExampleState.decided.rawValue))]
        ) { row in
            do {
                let message = try Example(decoding: row.blob(1))
                body(
                    Row(
                        name: ExampleName(dataset: dataset.name.id, rowID: row.text(0)),
                        answer: message.answer, revision: Verdict.revision(message.guidelines)))
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
    }
}
