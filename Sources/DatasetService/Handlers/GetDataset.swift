import Messages
import Resources
import Storage

extension Catalogue {
    /// `GetDataset`.
    func get(_ request: GetDatasetRequest) async throws -> Dataset {
        let name = try DatasetName(request.name, field: "name")
        return try await reader.read { db in
            let record = try db.dataset(name)
            var message = try record.message(db)
            if let revision = request.guidelinesRevision {
                message.guidelinesContent = try db.guidelines(of: record, revision: revision)
            }
            return message
        }
    }
}
