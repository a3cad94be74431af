import Messages
import Resources
import Storage

extension ModelRegistry {
    /// `ListModels`. Models are few, so all are read, chosen and sorted, and a page is cut.
    func list(_ request: ListModelsRequest) async throws -> ListModelsResponse {
        let filter = try Filter(request.filter, kind: Self.field)
        let order = try PageOrder(
            request.orderBy, allowed: ["name", "parameter_count", "create_time"], standard: "name")
        let mark = "models|\(request.filter)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        let all = try await store.reader.read { db in try db.models("") }
        let sorted = all.filter { model in filter.matches { Self.value(of: $0, in: model) } }
            .sorted { a, b in
                let (first, second) = order.isDescending ? (b, a) : (a, b)
                return first.precedes(second, by: order)
            }
        let start = after.map { token in
            (sorted.firstIndex { $0.id == token.id } ?? sorted.count - 1) + 1
        }
        let page = sorted.dropFirst(start ?? 0).prefix(size)
        var response = ListModelsResponse()
        response.models = page.map(\.message)
        if let last = page.last, page.endIndex < sorted.endIndex {
            response.nextPageToken = PageToken(key: "", id: last.id).text(for: mark)
        }
        return response
    }

    private static func field(_ name: String) -> FilterKind? {
        switch name {
        case "architecture": .text
        case "parameter_count": .number
        case "weight_format": .choice(Messages.WeightFormat.allKnown.map(\.plainName))
        case "create_time": .time
        default: name.hasPrefix("labels.") ? .text : nil
        }
    }

    private static func value(of field: String, in model: ModelRecord) -> FilterValue {
        switch field {
        case "architecture": .text(model.message.architecture)
        case "parameter_count": .number(Double(model.message.parameterCount))
        case "weight_format": .text(model.message.weightFormat.plainName)
        case "create_time": .number(Double(model.createNanoseconds))
        default: model.message.labels[String(field.dropFirst(7))].map { .text($0) } ?? .none
        }
    }
}

extension ModelRecord {
    fileprivate func precedes(_ other: ModelRecord, by order: PageOrder) -> Bool {
        switch order.field {
        case "parameter_count":
            (message.parameterCount, id) < (other.message.parameterCount, other.id)
        case "create_time": (createNanoseconds, id) < (other.createNanoseconds, other.id)
        default: name.id < other.name.id
        }
    }
}
