import Messages
import Resources
import Storage

extension Catalogue {
    /// `GetVersion`.
    func get(_ request: GetVersionRequest) async throws -> DatasetVersion {
        let name = try VersionName(request.name, field: "name")
        return try await reader.read { db in try db.version(name).message(db) }
    }
}
