import Base
import Messages
import RPC
import Storage

extension Catalogue {
    /// `CreateDataset`.
    func create(_ request: CreateDatasetRequest) async throws -> Dataset {
        guard let asked = request.dataset else { throw DatasetError.required(field: "dataset") }
        try DatasetRules.check(asked)
        let id = request.datasetID.isEmpty ? Self.newID() : request.datasetID
        guard DatasetName.isValid(id) else {
            throw DatasetError.invalid(
                field: "dataset_id", seen: id, allowed: "[a-z][a-z0-9-]{0,62} is allowed")
        }
        let name = DatasetName(id: id)
        let content = try DatasetRules.completed(asked).encoded()
        let now = clock()
        let create: @Sendable (Connection) throws -> Dataset = { db in
            guard try db.datasets("WHERE name = ?", .text(id)).isEmpty else {
                throw DatasetError.exists(name: "\(name)")
            }
            try db.run(
                "INSERT INTO datasets(name, message, create_ns, update_ns) VALUES(?, ?, ?, ?)",
                .text(id), .blob(content), .integer(now), .integer(now))
            return try db.dataset(name).message(db)
        }
        if request.validateOnly { return try await undone(create) }
        return try await once(request.requestID, request, create)
    }

    /// Does it, keeps the answer and nothing else.
    func undone<Response: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Response
    ) async throws -> Response {
        do {
            return try await writer.write { db in throw Undo(response: try body(db)) }
        } catch let undo as Undo<Response> {
            return undo.response
        }
    }

    /// A letter and 12 more characters.
    private static func newID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 36)
        return "d" + digits.prefix(12)
    }
}

/// Carries an answer out of a transaction that is not to stay.
private struct Undo<Response: Sendable>: Error {
    let response: Response
}
