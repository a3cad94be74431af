import Base
import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `CreateDataset`.
    func create(_ request: CreateDatasetRequest) async throws -> Dataset {
        guard let asked = request.dataset else { throw DatasetError.required(field: "dataset") }
        try DatasetRules.check(asked)
        let id = request.datasetID.isEmpty ? ResourceID.new("d") : request.datasetID
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
        if request.validateOnly { return try await writer.undone(create) }
        return try await once(request.requestID, request, create)
    }
}
