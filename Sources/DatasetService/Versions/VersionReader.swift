import Base
import Digests
import Images
import Messages
import Resources
import Storage

/// A row of a version with its images.
struct FrozenRow: Sendable {
    let position: Int
    let rowID: String
    let digest: Digest256?
    /// nil if it was erased since.
    let example: Example?
    var contents: [Bytes] = []
}

/// Reads rows of one split by their position.
struct VersionReader: Sendable {
    let catalogue: Catalogue
    let version: VersionRecord
    let images: PictureReader

    init(_ catalogue: Catalogue, _ version: VersionRecord) {
        (self.catalogue, self.version) = (catalogue, version)
        images = catalogue.nextPictureReader()
    }

    /// How many rows a split has, erased ones included.
    func count(of split: SplitKind) -> Int {
        let summary = version.stored.splits.first { $0.split == split }
        return Int(summary?.exampleCount ?? 0)
    }

    /// The positions of a split whose rows were erased.
    func erasedPositions(of split: SplitKind) async throws -> [Int] {
        let key = SQLValue.integer(version.id)
        return try await catalogue.reader.read { db in
            try db.rows(
                """
                SELECT position FROM version_rows JOIN revisions ON revisions.id = revision_id
                WHERE version_id = ? AND split = ? AND payload IS NULL
                """, key, SQLValue(Int(split.rawValue))
            ) { $0.int(0) }
        }
    }

    /// Rows in the order of the positions given.
    func rows(at positions: [Int], of split: SplitKind) async throws -> [FrozenRow] {
        let version = version
        return try await catalogue.reader.read { db in
            try positions.map { position in
                let found = try db.first(
                    """
                    SELECT row_id, content_sha, payload, payload IS NULL FROM version_rows
                    JOIN revisions ON revisions.id = version_rows.revision_id
                    JOIN examples ON examples.id = example_id
                    WHERE version_id = ? AND split = ? AND position = ?
                    """, .integer(version.id), SQLValue(Int(split.rawValue)),
                    SQLValue(position)
                ) { ($0.text(0), $0.digest(1), $0.bool(3) ? nil : $0.blob(2)) }
                guard let (rowID, digest, payload) = found else {
                    throw StorageError.corrupt(what: "a version without one of its rows")
                }
                let example = try payload.map { try Example(decoding: $0) }
                return FrozenRow(
                    position: position, rowID: rowID, digest: digest, example: example)
            }
        }
    }

    /// The same rows with the bytes of their images; without them those erased meanwhile.
    func withContents(_ rows: [FrozenRow]) async throws -> [FrozenRow] {
        try await images.fill(rows)
    }

    /// The images of rows as they are sent, on all threads that read images.
    func treated(
        _ rows: [FrozenRow], _ treatment: Treatment, epoch: UInt32
    ) async throws -> [[TreatedImage]] {
        let readers = catalogue.pictureReaders
        return try await withThrowingTaskGroup(of: (Int, [[TreatedImage]]).self) { group in
            for (number, reader) in readers.enumerated() {
                // In turn, so that large images side by side do not fall to one thread.
                let places = stride(from: number, to: rows.count, by: readers.count)
                let part = places.map { rows[$0] }
                guard !part.isEmpty else { continue }
                group.addTask { (number, try await reader.treated(part, treatment, epoch)) }
            }
            var results = [[TreatedImage]](repeating: [], count: rows.count)
            for try await (number, part) in group {
                for (index, images) in part.enumerated() {
                    results[number + index * readers.count] = images
                }
            }
            return results
        }
    }
}

extension PictureReader {
    fileprivate func fill(_ rows: [FrozenRow]) throws -> [FrozenRow] {
        try rows.map { row in
            var row = row
            row.contents = try contents(row.example?.images.map(\.imageSha256) ?? [], side: 0)
            return row
        }
    }

    fileprivate func treated(
        _ rows: [FrozenRow], _ treatment: Treatment, _ epoch: UInt32
    ) throws -> [[TreatedImage]] {
        try rows.map { row in
            try Task.checkCancellation()
            let changes = treatment.changes(row.rowID, epoch: epoch)
            return try row.contents.map { try treatment.treated($0, changes) }
        }
    }
}
