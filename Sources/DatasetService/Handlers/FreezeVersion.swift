import Base
import Digests
import Messages
import Operation
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
        let mark = request.validateOnly ? nil : try RequestMark(request.requestID, request)
        if let mark, let answer = try await answer(to: mark) { return answer }
        // A million rows take hundreds of megabytes, which the next calls do not need.
        defer { ProcessSetup.returnFreedMemory() }
        let draft = try await draft(request, author: context.principal.name)
        if request.validateOnly { return try await preview(draft.draft, draft.dataset) }
        return try await write(draft.draft, draft.dataset, mark)
    }

    /// The scan, most of the memory, is gone before anything is written.
    private func draft(
        _ request: FreezeVersionRequest, author: String
    ) async throws -> (draft: VersionDraft, dataset: DatasetRecord) {
        let scan = try await catalogue.scanner.read { db in try FreezeScan(request, db) }
        return (try await freezer.draft(scan, request, author: author), scan.dataset)
    }

    private func answer(to mark: RequestMark) async throws -> FreezeVersionResponse? {
        try await catalogue.reader.read { db in try db.answer(to: mark) }
    }

    /// What freezing would give.
    private func preview(
        _ draft: VersionDraft, _ dataset: DatasetRecord
    ) async throws -> FreezeVersionResponse {
        let known = try await catalogue.reader.read { db in try db.known(draft, dataset) }
        if let known { return draft.response(known, existed: true) }
        var message = draft.message
        message.contentSha256 = draft.digest.hex
        return draft.response(message, existed: false)
    }

    /// Writes the rows under a version that nobody sees, then shows it in one step. A crash leaves
    /// what the next start removes.
    private func write(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ mark: RequestMark?
    ) async throws -> FreezeVersionResponse {
        let now = catalogue.clock()
        let key: Int64? = try await catalogue.writer.write { db in
            if try db.known(draft, dataset) != nil { return nil }
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
            return try await publish(draft, dataset, key, mark)
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

    /// Shows the version, unless one of the same content was shown meanwhile, and keeps the answer.
    ///
    /// - Parameter key: nil if there was one before
    private func publish(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ key: Int64?, _ mark: RequestMark?
    ) async throws -> FreezeVersionResponse {
        let now = catalogue.clock()
        return try await catalogue.writer.write { db in
            if let mark, let answer: FreezeVersionResponse = try db.answer(to: mark) {
                if let key { try db.discard(key) }
                return answer
            }
            let response: FreezeVersionResponse
            if let known = try db.known(draft, dataset) {
                if let key { try db.discard(key) }
                response = draft.response(known, existed: true)
            } else {
                response = draft.response(try db.show(draft, dataset, key), existed: false)
            }
            if let mark { try db.remember(response, to: mark, now: now) }
            return response
        }
    }
}

extension VersionDraft {
    fileprivate func response(_ version: DatasetVersion, existed: Bool) -> FreezeVersionResponse {
        var response = FreezeVersionResponse()
        (response.version, response.alreadyExisted) = (version, existed)
        response.leftOut = leftOut
        return response
    }
}

extension Connection {
    /// The version that has this content already.
    fileprivate func known(
        _ draft: VersionDraft, _ dataset: DatasetRecord
    ) throws -> DatasetVersion? {
        let found = try versions(of: dataset, "AND content_sha = ?", SQLValue(draft.digest))
        return try found.first?.message(self)
    }

    /// Removes a version that nobody has seen.
    fileprivate func discard(_ key: Int64) throws {
        try run("DELETE FROM version_rows WHERE version_id = ?", .integer(key))
        try run("DELETE FROM versions WHERE id = ?", .integer(key))
    }

    /// Makes a version visible whose rows are written.
    fileprivate func show(
        _ draft: VersionDraft, _ dataset: DatasetRecord, _ key: Int64?
    ) throws -> DatasetVersion {
        let earlier = try versions(of: dataset, "ORDER BY number DESC LIMIT 1").first
        var message = draft.message
        message.parent = earlier?.name.description ?? ""
        // A version that was there a moment ago is gone with its dataset.
        guard let key else { throw StorageError.corrupt(what: "a version that went away") }
        try run(
            "UPDATE versions SET state = ?, content_sha = ?, message = ? WHERE id = ?",
            SQLValue(Int(VersionState.succeeded.rawValue)), SQLValue(draft.digest),
            .blob(try message.encoded()), .integer(key))
        let stored = try versions(of: dataset, "AND id = ?", .integer(key)).first
        guard let stored else { throw StorageError.corrupt(what: "a version without a row") }
        return try stored.message(self)
    }
}
