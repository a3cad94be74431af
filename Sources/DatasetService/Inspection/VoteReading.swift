import Base
import Messages
import Quality
import Resources
import Storage

extension Connection {
    /// The votes that count on rows of a dataset, as far as the limit goes; the number of each row
    /// is its key in `examples`.
    func countedVotes(of dataset: DatasetRecord, max: Int) throws -> [RowVote] {
        var votes: [RowVote] = []
        var failure: (any Error)?
        try each(
            """
            SELECT example_id, annotator, message FROM votes
            JOIN examples ON examples.id = example_id
            WHERE dataset_id = ? AND votes.basis_id = examples.basis_id ORDER BY votes.id LIMIT ?
            """, [.integer(dataset.id), SQLValue(max)]
        ) { row in
            do {
                let vote = try Vote(decoding: row.blob(2))
                guard !vote.skipped else { return true }
                votes.append(
                    RowVote(row: row.int(0), annotator: row.text(1), answer: vote.answer))
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
        return votes
    }
}
