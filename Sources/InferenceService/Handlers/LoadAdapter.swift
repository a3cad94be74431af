import Base
import Generation
import Messages
import RPC
import Resources
import Storage

extension AdapterShelf {
    /// `LoadAdapter`: copies, reads, binds and proves; only then anything changes.
    func load(
        _ request: LoadAdapterRequest, by caller: Principal
    ) async throws -> LoadAdapterResponse {
        let start = MonotonicTime.now()
        try Self.check(request)
        let repeatable = try RepeatableRequest(request.requestID, request, now: store.clock())
        if let repeatable,
            let answer: LoadAdapterResponse = try await store.reader.read({ db in
                try repeatable.answer(db)
            })
        {
            return answer
        }
        let (folder, digest, isCopy) = try await source(of: request)
        do {
            let response = try await load(folder, digest, request, by: caller, since: start)
            if isCopy { await loader.discard(folder) }
            return response
        } catch {
            if isCopy { await loader.discard(folder) }
            throw error
        }
    }

    private func load(
        _ folder: String, _ digest: String, _ request: LoadAdapterRequest, by caller: Principal,
        since start: MonotonicTime
    ) async throws -> LoadAdapterResponse {
        guard request.expectedSha256.isEmpty || request.expectedSha256 == digest else {
            throw InferenceError.digestMismatch(expected: request.expectedSha256, seen: digest)
        }
        var read = try await loader.read(folder, digest)
        let effect = try await loader.effect(read.adapter)
        if effect.logitChangeMax == 0, !request.allowWithoutProbe {
            throw InferenceError.withoutEffect(rows: Int(effect.rowCount))
        }
        var stored = read.message
        stored.effect = effect
        read = ReadAdapter(adapter: read.adapter, message: stored)
        if request.validateOnly {
            return .with {
                $0.adapter = stored
                $0.loadSeconds = MonotonicTime.now().seconds(since: start)
            }
        }
        try await loader.keep(folder, as: digest)
        let response = try await record(read, request, by: caller, since: start)
        keep(read.adapter)
        return response
    }

    /// Makes the adapter known, and moves its alias, in one step.
    private func record(
        _ read: ReadAdapter, _ request: LoadAdapterRequest, by caller: Principal,
        since start: MonotonicTime
    ) async throws -> LoadAdapterResponse {
        let (digest, now) = (read.adapter.name, store.clock())
        let message = read.message
        return try await store.writer.once(request.requestID, request, now: now) { db in
            let known = try db.adapter(digest)
            var response = LoadAdapterResponse()
            response.alreadyLoaded = known?.isLoaded ?? false
            try db.run(
                "INSERT INTO adapters(sha, is_loaded, message, load_ns) VALUES(?, 1, ?, ?)"
                    + " ON CONFLICT(sha) DO UPDATE SET is_loaded = 1, message = excluded.message",
                .text(digest), .blob(try message.encoded()), .integer(now))
            if !request.alias.isEmpty {
                let present = try db.digest(ofAlias: request.alias)
                guard present == nil || present == digest || request.replaceAlias else {
                    throw ResourceError.exists(name: "adapters/\(request.alias)")
                }
                response.replacedSha256 = try db.change(
                    AliasChange(
                        alias: request.alias, digest: digest, author: caller.name, reason: "load",
                        now: now))
                if response.replacedSha256 == digest { response.replacedSha256 = "" }
            }
            guard let record = try db.adapter(digest) else { throw InferenceError.unexpected }
            var adapter = record.stored
            adapter.aliases = record.aliases
            adapter.tier = .device
            adapter.loadTime = GoogleProtobuf.Timestamp(nanoseconds: record.loadNanoseconds)
            response.adapter = adapter
            response.loadSeconds = MonotonicTime.now().seconds(since: start)
            return response
        }
    }

    private static func check(_ request: LoadAdapterRequest) throws {
        let later = "comes with a later release; leave it out"
        let unsupported: [(String, Bool)] = [
            ("tenants", !request.tenants.isEmpty), ("pinned", request.pinned),
            ("tier", request.tier != .unspecified && request.tier != .device),
        ]
        for (field, isSet) in unsupported where isSet {
            throw InferenceError.unsupported(field: field, why: later)
        }
        if !request.alias.isEmpty { _ = try AdapterName.alias(request.alias, field: "alias") }
        if !request.expectedSha256.isEmpty {
            _ = try AdapterName.digest(request.expectedSha256, field: "expected_sha256")
        }
        if case .artifact? = request.source {
            throw InferenceError.unsupported(
                field: "artifact", why: "comes with a later release; give directory")
        }
    }

    private func source(
        of request: LoadAdapterRequest
    ) async throws -> (folder: String, digest: String, isCopy: Bool) {
        switch request.source {
        case .directory(let directory)?:
            let (copy, digest) = try await loader.copy(directory)
            return (copy, digest, true)
        case .adapterSha256(let text)?:
            let digest = try AdapterName.digest(text, field: "adapter_sha256")
            return (try await loader.kept(digest), digest, false)
        default: throw ResourceError.required(field: "directory")
        }
    }
}
