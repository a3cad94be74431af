import Messages
import RPC
import Resources
import Storage

extension AdapterShelf {
    /// `UnloadAdapter`.
    func unload(
        _ request: UnloadAdapterRequest, by caller: Principal
    ) async throws -> UnloadAdapterResponse {
        let name = try AdapterName(request.name, field: "name")
        let now = store.clock()
        let response: UnloadAdapterResponse = try await store.writer.once(
            request.requestID, request, now: now
        ) { db in
            let digest: String? =
                switch name {
                case .digest(let digest): digest
                case .alias(let alias): try db.digest(ofAlias: alias)
                }
            guard let record = try digest.flatMap({ try db.adapter($0) }), record.isLoaded else {
                guard request.allowMissing else {
                    throw ResourceError.notFound(type: "adapter", name: request.name)
                }
                return UnloadAdapterResponse()
            }
            guard record.aliases.isEmpty || request.removeAliases else {
                throw ResourceError.inUse(
                    name: record.stored.name,
                    why: "aliases point to it: \(record.aliases.joined(separator: ", "));"
                        + " move them, or set remove_aliases")
            }
            for alias in record.aliases {
                _ = try db.change(
                    AliasChange(
                        alias: alias, digest: "", author: caller.name, reason: "unload", now: now))
            }
            try db.run(
                request.erase
                    ? "DELETE FROM adapters WHERE sha = ?"
                    : "UPDATE adapters SET is_loaded = 0 WHERE sha = ?", .text(record.digest))
            return .with {
                $0.adapterSha256 = record.digest
                $0.removedAliases = record.aliases
            }
        }
        guard !response.adapterSha256.isEmpty else { return response }
        forget(response.adapterSha256)
        if request.erase { await loader.erase(response.adapterSha256) }
        var told = response
        told.runningCount = UInt32(running(response.adapterSha256))
        return told
    }

    /// `SetAlias`.
    func setAlias(
        _ request: SetAliasRequest, by caller: Principal
    ) async throws -> SetAliasResponse {
        let alias = try AdapterName.alias(request.alias, field: "alias")
        try FieldRules.size("reason", request.reason, ResourceLimits.reasonBytesMax)
        if !request.adapterSha256.isEmpty {
            _ = try AdapterName.digest(request.adapterSha256, field: "adapter_sha256")
        }
        let expected = request.expectedSha256
        if !expected.isEmpty, expected != "none" {
            _ = try AdapterName.digest(expected, field: "expected_sha256")
        }
        let now = store.clock()
        return try await store.writer.once(request.requestID, request, now: now) { db in
            let present = try db.digest(ofAlias: alias)
            guard expected.isEmpty || expected == (present ?? "none") else {
                throw ResourceError.changed(
                    name: "adapters/\(alias)", seen: expected, present: present ?? "none")
            }
            if !request.adapterSha256.isEmpty {
                guard try db.adapter(request.adapterSha256)?.isLoaded == true else {
                    throw ResourceError.notFound(
                        type: "adapter", name: "adapters/sha256:\(request.adapterSha256)")
                }
            } else if present == nil {
                throw ResourceError.notFound(type: "alias", name: "adapters/\(alias)")
            }
            let previous = try db.change(
                AliasChange(
                    alias: alias, digest: request.adapterSha256, author: caller.name,
                    reason: request.reason, now: now))
            return .with {
                $0.alias = alias
                $0.adapterSha256 = request.adapterSha256
                $0.previousSha256 = previous
                $0.updateTime = GoogleProtobuf.Timestamp(nanoseconds: now)
            }
        }
    }

    /// `ListAdapters`.
    func list(_ request: ListAdaptersRequest) async throws -> ListAdaptersResponse {
        let filter = try Filter(request.filter, kind: Self.field)
        let order = try PageOrder(
            request.orderBy, allowed: ["name", "load_time", "use_time"], standard: "name")
        let mark = "adapters|\(request.filter)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        let all = try await store.reader.read { db in try db.adapters("WHERE is_loaded = 1") }
            .map { (id: $0.id, message: message($0)) }
        let sorted =
            all.filter { one in filter.matches { Self.value(of: $0, in: one.message) } }
            .sorted { a, b in
                let (first, second) = order.isDescending ? (b, a) : (a, b)
                return (Self.key(first.message, order), first.id)
                    < (Self.key(second.message, order), second.id)
            }
        let start = after.map { token in
            (sorted.firstIndex { $0.id == token.id } ?? sorted.count - 1) + 1
        }
        let page = sorted.dropFirst(start ?? 0).prefix(size)
        var response = ListAdaptersResponse()
        response.adapters = page.map(\.message)
        response.totalCount = UInt64(all.count)
        if let last = page.last, page.endIndex < sorted.endIndex {
            response.nextPageToken = PageToken(key: "", id: last.id).text(for: mark)
        }
        return response
    }

    private static func field(_ name: String) -> FilterKind? {
        switch name {
        case "alias", "tenant": .texts
        case "tier": .choice(AdapterTier.allKnown.map { $0.plainName })
        case "rank_max": .number
        case "lineage.job", "lineage.dataset_version": .text
        case "use_time": .time
        default: nil
        }
    }

    private static func value(of field: String, in adapter: ServedAdapter) -> FilterValue {
        switch field {
        case "alias": .texts(adapter.aliases)
        case "tenant": .texts(adapter.tenants)
        case "tier": .text(adapter.tier.plainName)
        case "rank_max": .number(Double(adapter.rankMax))
        case "use_time": adapter.useTime.map { .number(Double($0.nanoseconds)) } ?? .none
        default: .none
        }
    }

    /// A text that sorts as the field does.
    private static func key(_ adapter: ServedAdapter, _ order: PageOrder) -> String {
        guard order.field != "name" else { return adapter.name }
        let time = order.field == "load_time" ? adapter.loadTime : adapter.useTime
        let digits = String(time?.nanoseconds ?? 0)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }
}
