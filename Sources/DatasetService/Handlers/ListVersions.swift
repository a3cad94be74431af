import Digests
import Messages
import Resources
import Storage

extension Catalogue {
    /// `ListVersions`.
    func list(_ request: ListVersionsRequest) async throws -> ListVersionsResponse {
        let name = try DatasetName(request.parent, field: "parent")
        let filter = try Filter(request.filter, kind: Self.versionField)
        let order = try PageOrder(
            request.orderBy, allowed: ["version_number"], standard: "version_number",
            descending: true)
        let mark = "versions|\(request.parent)|\(request.filter)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        return try await reader.read { db in
            let dataset = try db.dataset(name)
            let direction = order.isDescending ? "DESC" : "ASC"
            let all = try db.versions(of: dataset, "ORDER BY number \(direction)").filter {
                version in
                filter.matches { Self.value(of: $0, in: version) }
            }
            let start = after.map { token in
                (all.firstIndex { $0.id == token.id } ?? all.count - 1) + 1
            }
            let page = all.dropFirst(start ?? 0).prefix(size)
            var response = ListVersionsResponse()
            response.versions = try page.map { try $0.message(db) }
            if let last = page.last, page.endIndex < all.endIndex {
                response.nextPageToken = PageToken(key: "", id: last.id).text(for: mark)
            }
            return response
        }
    }

    private static func versionField(_ name: String) -> FilterKind? {
        switch name {
        case "version_number": .number
        case "state": .choice(VersionState.allKnown.map(\.plainName))
        case "create_time": .time
        case "content_sha256": .text
        default: name.hasPrefix("labels.") ? .text : nil
        }
    }

    private static func value(of field: String, in version: VersionRecord) -> FilterValue {
        switch field {
        case "version_number": .number(Double(version.name.number ?? 0))
        case "state": .text(VersionState.succeeded.plainName)
        case "create_time": .number(Double(version.createNanoseconds))
        case "content_sha256": .text(version.digest?.hex ?? "")
        default: version.stored.labels[String(field.dropFirst(7))].map { .text($0) } ?? .none
        }
    }
}
