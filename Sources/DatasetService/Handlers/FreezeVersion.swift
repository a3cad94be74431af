import Base
import Digests
import Messages
import RPC
import Storage

/// `FreezeVersion`.
struct FreezeVersion: Sendable {
    /// Rows written in one transaction, so that other writers need not wait for all of them.
    private static let rowsPerWrite = 10_000

    let catalogue: Catalogue
    let freezer = Freezer()

    func callAsFunction(
        _ request: FreezeVersionRequest, _ context: CallContext
    ) async throws -> FreezeVersionResponse {
        try DatasetRules.labels("labels", request.labels)
        guard request.description.utf8.count <= Limits.descriptionBytesMax else {
            throw DatasetError.tooLarge(
                what: "description", bytes: request.description.utf8.count,
                bytesMax: Limits.descriptionBytesMax)
        }
        let scan = try await catalogue.scanner.read { db in try FreezeScan(request, db) }
        let draft = try await freezer.draft(scan, request, author: context.principal.name)
        var response = FreezeVersionResponse()
        response.leftOut = draft.leftOut
        if let known = try await known(draft, scan.dataset) {
            (response.version, response.alreadyExisted) = (known, true)
        } else if request.validateOnly {
            response.version = draft.message
            response.version?.contentSha256 = draft.digest.hex
        } else {
            response.version = try await write(draft, scan.dataset)
        }
        return response
    }

    /// The version that has this content already.
    private func known(
        _ draft: VersionDraft, _ dataset: DatasetRecord
    ) async throws -> DatasetVersion? {
        try await catalogue.reader.read { db in
            let found = try db.versions(
                of: dataset, "AND content_sha = ?", SQLValue(draft.digest))
            return try found.first?.message(db)
        }
    }

    /// Writes the rows under a version that nobody sees, then shows it in one step. A crash leaves
    /// what the next start removes.
    private func write(
        _ draft: VersionDraft, _ dataset: DatasetRecord
    ) async throws -> DatasetVersion {
        let now = catalogue.clock()
        let key = try await catalogue.writer.write { db in
            try db.run(
                """
                INSERT INTO versions(dataset_id, number, state, create_ns)
                SELECT ?1, coalesce(max(number), 0) + 1, \(VersionState.freezing.rawValue), ?2
                FROM versions WHERE dataset_id = ?1
                """, .integer(dataset.id), .integer(now))
            return db.lastKey
        }
        do {
            for (split, revisions) in draft.rows { try await write(revisions, split, key) }
            return try await publish(draft, dataset, key)
        } catch {
            _ = try? await catalogue.writer.write { db in
                try db.run("DELETE FROM version_rows WHERE version_id = ?", .integer(key))
                try db.run("DELETE FROM versions WHERE id = ?", .integer(key))
            }
            throw error
        }
    }

    private func write(_ revisions: [Int64], _ split: SplitKind, _ key: Int64) async throws {
        for start in stride(from: 0, to: revisions.count, by: Self.rowsPerWrite) {
            let part = revisions[start..<min(start + Self.rowsPerWrite, revisions.count)]
            try await catalogue.writer.write { db in
                for position in part.indices {
                    try db.run(
                        "INSERT INTO version_rows VALUES(?, ?, ?, ?)", .integer(key),
                        SQLValue(Int(split.rawValue)), SQLValue(position),
                        .integer(part[position]))
                }
            }
        }
    }

    private func publish(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ key: Int64
    ) async throws -> DatasetVersion {
        try await catalogue.writer.write { db in
            let earlier = try db.versions(of: dataset, "ORDER BY number DESC LIMIT 1").first
            var message = draft.message
            message.parent = earlier?.name.description ?? ""
            try db.run(
                "UPDATE versions SET state = ?, content_sha = ?, message = ? WHERE id = ?",
                SQLValue(Int(VersionState.succeeded.rawValue)), SQLValue(draft.digest),
                .blob(try message.encoded()), .integer(key))
            let stored = try db.versions(of: dataset, "AND id = ?", .integer(key)).first
            guard let stored else { throw StorageError.corrupt(what: "a version without a row") }
            return try stored.message(db)
        }
    }
}
