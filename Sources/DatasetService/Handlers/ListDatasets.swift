import Messages
import Resources
import Storage

extension Catalogue {
    /// `ListDatasets`. Datasets are few, so all are read, chosen and sorted, and a page is cut.
    func list(_ request: ListDatasetsRequest) async throws -> ListDatasetsResponse {
        let filter = try Filter(request.filter, kind: Self.datasetField)
        let order = try PageOrder(
            request.orderBy, allowed: ["name", "create_time", "update_time", "example_count"],
            standard: "name")
        let mark = "datasets|\(request.filter)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        return try await reader.read { db in
            let all = try db.datasets("").filter { record in
                filter.matches { Self.value(of: $0, in: record) }
            }
            let sorted = all.sorted { a, b in
                let (first, second) = order.isDescending ? (b, a) : (a, b)
                return (Self.key(first, order), first.id) < (Self.key(second, order), second.id)
            }
            let start = after.map { token in
                (sorted.firstIndex { $0.id == token.id } ?? sorted.count - 1) + 1
            }
            let page = sorted.dropFirst(start ?? 0).prefix(size)
            var response = ListDatasetsResponse()
            response.datasets = try page.map { try $0.message(db) }
            if let last = page.last, page.endIndex < sorted.endIndex {
                response.nextPageToken = PageToken(key: "", id: last.id).text(for: mark)
            }
            return response
        }
    }

    private static func datasetField(_ name: String) -> FilterKind? {
        switch name {
        case "task": .choice(AnswerTask.allKnown.map { $0.plainName })
        case "domain": .choice(ImageDomain.allKnown.map { $0.plainName })
        case "create_time": .time
        case "display_name": .text
        default: name.hasPrefix("labels.") ? .text : nil
        }
    }

    private static func value(of field: String, in record: DatasetRecord) -> FilterValue {
        switch field {
        case "task": .text(record.stored.task.plainName)
        case "domain": .text(record.stored.domain.plainName)
        case "create_time": .number(Double(record.createNanoseconds))
        case "display_name": .text(record.stored.displayName)
        default: record.stored.labels[String(field.dropFirst(7))].map { .text($0) } ?? .none
        }
    }

    /// A text that sorts as the field does.
    private static func key(_ record: DatasetRecord, _ order: PageOrder) -> String {
        let number: Int64? =
            switch order.field {
            case "create_time": record.createNanoseconds
            case "update_time": record.updateNanoseconds
            case "example_count": Int64(record.exampleCount)
            default: nil
            }
        guard let number else { return record.name.id }
        let digits = String(number)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }
}
