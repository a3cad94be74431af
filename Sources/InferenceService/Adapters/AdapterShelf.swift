import Base
import Generation
import Messages
import Models
import Resources
import Storage

/// Who answers a request.
struct ServingTarget: Sendable {
    /// nil: the base alone.
    var adapter: RequestAdapter?
    /// By which it was asked for; empty: none.
    var alias = ""
}

/// Adapters by digest and by alias. What a request began with stays with it, whatever becomes of
/// alias and adapter meanwhile.
final class AdapterShelf: Sendable {
    private struct Residents {
        var adapters: [String: (adapter: RequestAdapter, use: Int)] = [:]
        var uses = 0
        /// Requests under way, by adapter, and when each adapter was last used.
        var running: [String: Int] = [:]
        var times: [String: Int64] = [:]
    }

    static let rankMax = AdapterSpec.rankMax
    let loader: AdapterLoader
    let store: InferenceStore
    let residentMax: Int
    private let residents = Lock(Residents())

    init(_ loader: AdapterLoader, _ store: InferenceStore, residentMax: Int) {
        (self.loader, self.store, self.residentMax) = (loader, store, residentMax)
    }

    /// Adapters in memory.
    var residentCount: Int { residents.with { $0.adapters.count } }

    /// Finds an adapter by its name, and reads it if it is not in memory.
    func target(_ name: String) async throws -> ServingTarget {
        guard name.hasPrefix("adapters/") else {
            throw ResourceError.notFound(
                type: name.hasPrefix("routes/") ? "route" : "model", name: name)
        }
        let parsed = try AdapterName(name, field: "target")
        let record = try await record(parsed, name)
        let adapter = try await resident(record.digest)
        if case .alias(let alias) = parsed { return ServingTarget(adapter: adapter, alias: alias) }
        return ServingTarget(adapter: adapter)
    }

    /// What an adapter is now.
    func adapter(_ digest: String) async throws -> ServedAdapter {
        try await message(record(.digest(digest), "adapters/sha256:\(digest)"))
    }

    /// The adapter that a name stands for; it must be loaded.
    func record(_ name: AdapterName, _ text: String) async throws -> AdapterRecord {
        let found = try await store.reader.read { db in
            switch name {
            case .digest(let digest): try db.adapter(digest)
            case .alias(let alias): try db.digest(ofAlias: alias).flatMap { try db.adapter($0) }
            }
        }
        guard let found, found.isLoaded else {
            throw ResourceError.notFound(type: "adapter", name: text)
        }
        return found
    }

    /// What is told of an adapter.
    func message(_ record: AdapterRecord) -> ServedAdapter {
        let (isResident, running, time) = residents.with { state in
            (
                state.adapters[record.digest] != nil, state.running[record.digest] ?? 0,
                state.times[record.digest]
            )
        }
        var message = record.stored
        message.aliases = record.aliases
        message.tier = isResident ? .device : .disk
        message.runningCount = UInt32(running)
        message.loadTime = GoogleProtobuf.Timestamp(nanoseconds: record.loadNanoseconds)
        message.useTime = time.map { GoogleProtobuf.Timestamp(nanoseconds: $0) }
        return message
    }

    /// Notes that a request uses its adapter, until `end`.
    func use(_ target: ServingTarget) -> AdapterUse {
        let (digest, now) = (target.adapter?.name, store.clock())
        if let digest {
            residents.with { state in
                state.running[digest, default: 0] += 1
                state.times[digest] = now
            }
        }
        return AdapterUse { [residents] in
            guard let digest else { return }
            residents.with { state in
                let left = (state.running[digest] ?? 1) - 1
                state.running[digest] = left == 0 ? nil : left
            }
        }
    }

    /// Requests that use an adapter now.
    func running(_ digest: String) -> Int { residents.with { $0.running[digest] ?? 0 } }

    /// Keeps an adapter in memory; the one that was not used for the longest time goes if there are
    /// too many. Requests under way keep theirs.
    func keep(_ adapter: RequestAdapter) {
        residents.with { state in
            state.uses += 1
            state.adapters[adapter.name] = (adapter, state.uses)
            while state.adapters.count > residentMax,
                let oldest = state.adapters.min(by: { $0.value.use < $1.value.use })
            {
                state.adapters[oldest.key] = nil
            }
        }
    }

    /// Lets go of an adapter.
    func forget(_ digest: String) {
        residents.with { state in
            state.adapters[digest] = nil
            state.times[digest] = nil
        }
    }

    private func resident(_ digest: String) async throws -> RequestAdapter {
        let found = residents.with { state -> RequestAdapter? in
            state.uses += 1
            state.adapters[digest]?.use = state.uses
            return state.adapters[digest]?.adapter
        }
        if let found { return found }
        let read = try await loader.read(try await loader.kept(digest), digest)
        keep(read.adapter)
        return read.adapter
    }
}

/// That a request uses its adapter.
struct AdapterUse: Sendable {
    /// To be called once, when the request is over.
    let end: @Sendable () -> Void
}
