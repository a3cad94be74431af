import Base
import Digests
import Messages
import Quality
import Resources
import Storage

extension Connection {
    /// Brings a row in line with its votes and decisions. An answer becomes a revision of the row;
    /// those before it stay, so that versions that have them never change.
    ///
    /// - Returns: the state the row is in now
    @discardableResult
    func settle(
        _ example: Int64, of dataset: DatasetRecord, at now: Int64
    ) throws -> ExampleState {
        let found = try first(
            """
            SELECT basis_id, basis_gold, row_id, payload FROM examples
            JOIN revisions ON revisions.id = basis_id WHERE examples.id = ? AND payload NOT NULL
            """, .integer(example)
        ) { (id: $0.int64(0), gold: $0.bool(1), rowID: $0.text(2), payload: $0.blob(3)) }
        guard let basis = found else { throw StorageError.corrupt(what: "a row without content") }
        let name = ExampleName(dataset: dataset.name.id, rowID: basis.rowID)
        let votes = try standingVotes(on: example, named: name, basis: basis.id)
        let verdict = Verdict(
            Verdict.Records(
                basis: try Example(decoding: basis.payload), basisGold: basis.gold, votes: votes,
                decisions: try standingDecisions(on: example, named: name, basis: basis.id),
                votesNeeded: dataset.stored.votesNeeded),
            comparedBy: dataset.stored.comparison)
        let revision =
            try verdict.content.map { try self.revision(of: example, from: basis.id, $0) }
            ?? basis.id
        try run(
            """
            UPDATE examples SET state = ?, answer_origin = ?, gold = ?, vote_count = ?,
                revision_id = ?, update_ns = ? WHERE id = ?
            """, SQLValue(Int(verdict.state.rawValue)), SQLValue(Int(verdict.origin.rawValue)),
            SQLValue(verdict.gold), SQLValue(votes.count), .integer(revision), .integer(now),
            .integer(example))
        return verdict.state
    }

    /// Settles rows that have all their votes since fewer are wanted.
    func settleComplete(_ dataset: DatasetRecord, at now: Int64) throws {
        let complete = try rows(
            "SELECT id FROM examples WHERE dataset_id = ? AND state = ? AND vote_count >= ?",
            .integer(dataset.id), SQLValue(Int(ExampleState.collecting.rawValue)),
            SQLValue(dataset.stored.votesNeeded)
        ) { $0.int64(0) }
        for example in complete { try settle(example, of: dataset, at: now) }
    }

    /// The revision that has this content: one that is there, or a new one.
    private func revision(
        of example: Int64, from basis: Int64, _ content: Example
    ) throws -> Int64 {
        let payload = try content.encoded()
        let digest = SQLValue(payload.sha256)
        let known = try first(
            "SELECT id FROM revisions WHERE example_id = ? AND row_sha = ?", .integer(example),
            digest
        ) { $0.int64(0) }
        if let known { return known }
        try run(
            "INSERT INTO revisions(example_id, content_sha, row_sha, payload) VALUES(?, ?, ?, ?)",
            .integer(example), SQLValue(content.contentDigest), digest, .blob(payload))
        let revision = lastKey
        try run(
            """
            INSERT INTO revision_images
            SELECT ?, position, image_id FROM revision_images WHERE revision_id = ?
            """, .integer(revision), .integer(basis))
        return revision
    }
}

extension Dataset {
    /// Independent people who vote on a row.
    var votesNeeded: Int {
        annotatorsPerRow == 0 ? Limits.annotatorsStandard : Int(annotatorsPerRow)
    }
}
