import Messages
import Storage

extension Catalogue {
    /// `GetDataset`.
    func get(_ request: GetDatasetRequest) async throws -> Dataset {
        let name = try DatasetName(request.name, field: "name")
        return try await reader.read { db in try db.dataset(name).message(db) }
    }
}
