import Base
import Digests
import Messages
import Resources
import Storage

/// A version as the catalogue has it.
struct VersionRecord: Sendable {
    let id: Int64
    let dataset: Int64
    let name: VersionName
    let digest: Digest256?
    let createNanoseconds: Int64
    let stored: DatasetVersion

    /// The resource, with the number of rows erased since.
    func message(_ db: Connection) throws -> DatasetVersion {
        var message = stored
        message.name = name.description
        message.versionNumber = UInt64(name.number ?? 0)
        message.contentSha256 = digest?.hex ?? ""
        message.state = .succeeded
        message.createTime = .init(nanoseconds: createNanoseconds)
        message.erasedCount = UInt64(try db.erasedCount(in: self, split: nil))
        return message
    }
}

extension Connection {
    /// A complete version.
    func version(_ name: VersionName) throws -> VersionRecord {
        let dataset = try dataset(DatasetName(id: name.dataset))
        let number = name.number.map { SQLValue($0) } ?? .null
        let found = try versions(
            of: dataset, "AND number = coalesce(?, number) ORDER BY number DESC LIMIT 1", number)
        guard let version = found.first else {
            throw DatasetError.notFound(
                type: "fovea.dataset.v1.DatasetVersion", name: name.description)
        }
        return version
    }

    /// Complete versions that a condition in SQL chooses.
    func versions(
        of dataset: DatasetRecord, _ condition: String, _ values: SQLValue...
    ) throws -> [VersionRecord] {
        var found: [Result<VersionRecord, any Error>] = []
        try each(
            """
            SELECT id, number, content_sha, message, create_ns FROM versions
            WHERE dataset_id = ? AND state = \(VersionState.succeeded.rawValue) \(condition)
            """, [.integer(dataset.id)] + values
        ) { row in
            found.append(
                Result {
                    VersionRecord(
                        id: row.int64(0), dataset: dataset.id,
                        name: VersionName(dataset: dataset.name.id, number: row.int(1)),
                        digest: row.digest(2), createNanoseconds: row.int64(4),
                        stored: try DatasetVersion(decoding: row.blob(3)))
                })
            return true
        }
        return try found.map { try $0.get() }
    }

    /// Rows of a version that were erased since; of all splits where none is named.
    func erasedCount(in version: VersionRecord, split: SplitKind?) throws(StorageError) -> Int {
        let chosen = split.map { SQLValue(Int($0.rawValue)) } ?? .null
        return try first(
            """
            SELECT count(*) FROM version_rows
            JOIN revisions ON revisions.id = revision_id
            WHERE version_id = ? AND split = coalesce(?, split) AND payload IS NULL
            """, .integer(version.id), chosen
        ) { $0.int(0) } ?? 0
    }
}
