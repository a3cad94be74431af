import Base
import Digests
import Messages
import Operation
import RPC
import Resources
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
        try FieldRules.labels("labels", request.labels)
        guard request.description.utf8.count <= Limits.descriptionBytesMax else {
            throw DatasetError.tooLarge(
                what: "description", bytes: request.description.utf8.count,
                bytesMax: Limits.descriptionBytesMax)
        }
        let repeatable = try RepeatableRequest(
            request.requestID, request, now: catalogue.clock())
        if let repeatable, let earlier = try await answer(to: repeatable) { return earlier }
        // A million rows take hundreds of megabytes, which the next calls do not need.
        defer { ProcessSetup.returnFreedMemory() }
        let (draft, dataset) = try await draft(request, author: context.principal.name)
        if request.validateOnly { return try await validated(draft, dataset) }
        return try await write(draft, dataset, repeatable)
    }

    /// The scan, most of the memory, is gone before anything is written.
    private func draft(
        _ request: FreezeVersionRequest, author: String
    ) async throws -> (draft: VersionDraft, dataset: DatasetRecord) {
        let scan = try await catalogue.scanner.read { db in try FreezeScan(request, db) }
        return (try await freezer.draft(scan, request, author: author), scan.dataset)
    }

    private func answer(
        to request: RepeatableRequest
    ) async throws -> FreezeVersionResponse? {
        try await catalogue.reader.read { db in try request.answer(db) }
    }

    private func validated(
        _ draft: VersionDraft, _ dataset: DatasetRecord
    ) async throws -> FreezeVersionResponse {
        var response = FreezeVersionResponse()
        response.leftOut = draft.leftOut
        let known = try await catalogue.reader.read { db in try db.version(of: dataset, draft) }
        response.alreadyExisted = known != nil
        response.version = known ?? draft.message
        response.version?.contentSha256 = draft.digest.hex
        return response
    }

    /// Writes the rows under a version that nobody sees, then shows it in one step. A crash leaves
    /// what the next start removes.
    private func write(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ repeatable: RepeatableRequest?
    ) async throws -> FreezeVersionResponse {
        let now = catalogue.clock()
        let key: Int64? = try await catalogue.writer.write { db in
            _ = try db.dataset(dataset.name)
            guard try db.version(of: dataset, draft) == nil else { return nil }
            try db.run(
                """
                INSERT INTO versions(dataset_id, number, state, create_ns)
                SELECT ?1, coalesce(max(number), 0) + 1, \(VersionState.freezing.rawValue), ?2
                FROM versions WHERE dataset_id = ?1
                """, .integer(dataset.id), .integer(now))
            return db.lastKey
        }
        do {
            if let key {
                for (split, revisions) in draft.rows { try await write(revisions, split, key) }
            }
            return try await publish(draft, dataset, key, repeatable)
        } catch {
            if let key { _ = try? await catalogue.writer.write { db in try db.discard(key) } }
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

    /// Shows the version and keeps the answer in one step. Where another call has shown the same
    /// content meanwhile, or answered the same request, that one stands.
    ///
    /// - Parameter key: nil where the content was there from the start
    private func publish(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ key: Int64?,
        _ repeatable: RepeatableRequest?
    ) async throws -> FreezeVersionResponse {
        try await catalogue.writer.write { db in
            if let earlier: FreezeVersionResponse = try repeatable?.answer(db) {
                try key.map(db.discard)
                return earlier
            }
            // The dataset may have been deleted meanwhile.
            _ = try db.dataset(dataset.name)
            var response = FreezeVersionResponse()
            response.leftOut = draft.leftOut
            if let known = try db.version(of: dataset, draft) {
                try key.map(db.discard)
                (response.version, response.alreadyExisted) = (known, true)
            } else if let key {
                response.version = try db.publish(draft, dataset, key)
            } else {
                throw StorageError.corrupt(what: "a version that is gone")
            }
            try repeatable?.remember(response, db)
            return response
        }
    }
}

extension Connection {
    /// The version that has the content of a draft already.
    fileprivate func version(
        of dataset: DatasetRecord, _ draft: VersionDraft
    ) throws -> DatasetVersion? {
        try versions(of: dataset, "AND content_sha = ?", SQLValue(draft.digest)).first?
            .message(self)
    }

    /// Removes a version that nobody has seen.
    fileprivate func discard(_ key: Int64) throws {
        try run("DELETE FROM version_rows WHERE version_id = ?", .integer(key))
        try run("DELETE FROM versions WHERE id = ?", .integer(key))
    }

    fileprivate func publish(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ key: Int64
    ) throws -> DatasetVersion {
        let earlier = try versions(of: dataset, "ORDER BY number DESC LIMIT 1").first
        var message = draft.message
        message.parent = earlier?.name.description ?? ""
        try run(
            "UPDATE versions SET state = ?, content_sha = ?, message = ? WHERE id = ?",
            SQLValue(Int(VersionState.succeeded.rawValue)), SQLValue(draft.digest),
            .blob(try message.encoded()), .integer(key))
        let stored = try versions(of: dataset, "AND id = ?", .integer(key)).first
        guard let stored else { throw StorageError.corrupt(what: "a version without a row") }
        return try stored.message(self)
    }
}
