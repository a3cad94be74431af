import Base
import Digests
import Messages
import Resources
import Storage

/// What became of a row.
struct RowOutcome: Sendable {
    let verdict: RowVerdict
    let problems: [Problem]
    let newImages: Int
    let knownImages: Int
}

/// Writes rows into the catalogue, inside one transaction.
struct IngestStore {
    let db: Connection
    let blobs: BlobStore
    let terms: IngestTerms
    let now: Int64

    /// Stores a row that has no problems of its own, or says why it cannot be.
    func store(_ row: PreparedRow) throws -> RowOutcome {
        guard row.problems.isEmpty else { return rejected(row.problems) }
        let rowDigest = row.payload.sha256
        let known = try db.first(
            """
            SELECT examples.id, state, row_sha FROM examples
            LEFT JOIN revisions ON revisions.id = basis_id
            WHERE dataset_id = ? AND row_id = ?
            """, .integer(terms.dataset.id), .text(row.rowID)
        ) { (id: $0.int64(0), state: $0.int(1), digest: $0.digest(2)) }
        guard let known else { return try insert(row, rowDigest) }
        guard known.state != ExampleState.erased.rawValue else {
            return rejected([
                Rejection(
                    .erased, field: "row_id", seen: row.rowID, allowed: "an id that was not erased",
                    "the row was erased on request and does not come back"
                ).problem
            ])
        }
        if known.digest == rowDigest {
            return RowOutcome(
                verdict: .duplicate, problems: [], newImages: 0, knownImages: row.pictures.count)
        }
        guard terms.header.conflictPolicy == .replace else {
            return rejected([
                Rejection(
                    .rowIDConflict, field: "row_id", seen: row.rowID,
                    allowed: "an id that is free, or conflict_policy REPLACE",
                    "the row exists with other content"
                ).problem
            ])
        }
        return try replace(known.id, row, rowDigest)
    }

    private func rejected(_ problems: [Problem]) -> RowOutcome {
        RowOutcome(verdict: .rejected, problems: problems, newImages: 0, knownImages: 0)
    }

    private func insert(_ row: PreparedRow, _ digest: Digest256) throws -> RowOutcome {
        try db.run(
            """
            INSERT INTO examples(dataset_id, row_id, state, answer_origin, gold, basis_gold,
                source_split, vote_count, create_ns, update_ns)
            VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?8)
            """, .integer(terms.dataset.id), .text(row.rowID), SQLValue(Int(row.state.rawValue)),
            SQLValue(Int(row.origin.rawValue)), SQLValue(row.gold),
            SQLValue(Int(row.sourceSplit.rawValue)), SQLValue(row.votes.count), .integer(now))
        let example = db.lastKey
        try db.run(
            "UPDATE datasets SET example_count = example_count + 1 WHERE id = ?",
            .integer(terms.dataset.id))
        return try addRevision(example, row, digest)
    }

    private func replace(
        _ example: Int64, _ row: PreparedRow, _ digest: Digest256
    ) throws -> RowOutcome {
        // Votes were given to other content: they stay on record, but no longer count.
        try db.run(
            """
            UPDATE examples SET state = ?1, answer_origin = ?2, gold = ?3, basis_gold = ?3,
                source_split = ?4, vote_count = ?5, update_ns = ?6 WHERE id = ?7
            """, SQLValue(Int(row.state.rawValue)), SQLValue(Int(row.origin.rawValue)),
            SQLValue(row.gold), SQLValue(Int(row.sourceSplit.rawValue)),
            SQLValue(row.votes.count), .integer(now), .integer(example))
        return try addRevision(example, row, digest)
    }

    private func addRevision(
        _ example: Int64, _ row: PreparedRow, _ digest: Digest256
    ) throws -> RowOutcome {
        try db.run(
            "INSERT INTO revisions(example_id, content_sha, row_sha, payload) VALUES(?, ?, ?, ?)",
            .integer(example), SQLValue(row.contentDigest), SQLValue(digest), .blob(row.payload))
        let revision = db.lastKey
        try db.run(
            "UPDATE examples SET revision_id = ?1, basis_id = ?1 WHERE id = ?2",
            .integer(revision), .integer(example))
        var newImages = 0
        for (position, picture) in row.pictures.enumerated() {
            let image = try imageKey(picture, &newImages)
            try db.run(
                "INSERT INTO revision_images VALUES(?, ?, ?)", .integer(revision),
                SQLValue(position), .integer(image))
            try db.run(
                "INSERT OR IGNORE INTO dataset_images VALUES(?, ?)", .integer(terms.dataset.id),
                .integer(image))
        }
        for vote in row.votes { try add(vote, to: example, revision) }
        if !row.votes.isEmpty { try db.settle(example, of: terms.dataset, at: now) }
        return RowOutcome(
            verdict: .accepted, problems: [], newImages: newImages,
            knownImages: row.pictures.count - newImages)
    }

    private func imageKey(_ picture: Picture, _ newImages: inout Int) throws -> Int64 {
        let digest = SQLValue(picture.digest)
        var key = try db.first("SELECT id FROM images WHERE sha = ?", digest) { $0.int64(0) }
        if key == nil {
            // The bytes may have been removed with their last row since they were found.
            guard blobs.contains(picture.digest) else {
                throw StorageError.blobMissing(picture.digest.hex)
            }
            try db.run(
                """
                INSERT INTO images(sha, width, height, media, size_bytes, hash, original_sha)
                VALUES(?, ?, ?, ?, ?, ?, ?)
                """, digest, SQLValue(picture.width), SQLValue(picture.height),
                .text(picture.media), SQLValue(picture.size), SQLValue(bits: picture.hash),
                picture.original.map { _ in SQLValue(picture.upload) } ?? .null)
            key = db.lastKey
            newImages += 1
        }
        guard let key else { throw StorageError.corrupt(what: "an image without a key") }
        try db.run(
            "INSERT OR IGNORE INTO uploads VALUES(?, ?)", SQLValue(picture.upload), .integer(key))
        return key
    }

    private func add(_ vote: ImportedVote, to example: Int64, _ revision: Int64) throws {
        var stored = Vote()
        stored.annotator = vote.annotator
        stored.answer = vote.answer
        stored.leadSeconds = vote.leadSeconds
        stored.createTime = .init(nanoseconds: now)
        try db.run(
            """
            INSERT INTO votes(example_id, annotator, message, create_ns, basis_id)
            VALUES(?, ?, ?, ?, ?)
            """, .integer(example), .text(vote.annotator), .blob(try stored.encoded()),
            .integer(now), .integer(revision))
    }
}

extension PreparedRow {
    fileprivate var state: ExampleState {
        if hasAnswer { return .decided }
        return votes.isEmpty ? .unlabelled : .collecting
    }

    fileprivate var origin: AnswerOrigin { hasAnswer ? .imported : .unspecified }
}

extension Connection {
    /// The images known under these digests, of uploads or as stored.
    ///
    /// - Parameter dataset: only images that this dataset has; nil for all
    func pictures(_ digests: [Digest256], of dataset: Int64?) throws -> [Digest256: Picture] {
        let columns = "sha, width, height, media, size_bytes, hash"
        let scope =
            dataset == nil
            ? "" : "AND id IN (SELECT image_id FROM dataset_images WHERE dataset_id = ?2)"
        var found: [Digest256: Picture] = [:]
        for digest in digests {
            var values = [SQLValue(digest)]
            if let dataset { values.append(.integer(dataset)) }
            try each(
                """
                SELECT \(columns) FROM images WHERE
                    (sha = ?1 OR id = (SELECT image_id FROM uploads WHERE sha = ?1)) \(scope)
                """, values
            ) { row in
                if let stored = row.digest(0) {
                    found[digest] = Picture(
                        known: stored, upload: digest, width: row.int(1), height: row.int(2),
                        media: row.text(3), size: row.int(4), hash: row.bits(5))
                }
                return true
            }
        }
        return found
    }
}
