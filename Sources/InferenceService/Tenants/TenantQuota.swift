import Base

/// What a tenant has of its quotas now. A pure value: time comes in.
struct TenantQuota: Sendable {
    let tenant: Tenant
    private(set) var running = 0
    /// When requests came in during the last minute, oldest first.
    private var arrivals: [MonotonicTime] = []

    init(_ tenant: Tenant) { self.tenant = tenant }

    /// Takes in a request, or says how much is taken already and when to come again.
    mutating func enter(at now: MonotonicTime) throws(InferenceError) {
        if let max = tenant.runningMax, running >= max {
            throw .quota(
                tenant: tenant.name, what: "requests at once", seen: running, max: max,
                retryMilliseconds: Int(InferenceLimits.retrySeconds * 1_000))
        }
        if let max = tenant.requestsPerMinute {
            arrivals.removeAll { now.seconds(since: $0) >= 60 }
            if arrivals.count >= max, let oldest = arrivals.first {
                let wait = 60 - now.seconds(since: oldest)
                throw .quota(
                    tenant: tenant.name, what: "requests a minute", seen: arrivals.count, max: max,
                    retryMilliseconds: Int((wait * 1_000).rounded(.up)))
            }
            arrivals.append(now)
        }
        running += 1
    }

    /// Lets a request go.
    mutating func leave() {
        precondition(running > 0, "tenant \(tenant.name): \(running) requests")
        running -= 1
    }
}

/// All tenants with what each has now. Without a file of tenants every principal is one, with no
/// quotas; with one, whoever is not in it is refused.
final class TenantBook: Sendable {
    private let tenants: [String: String]?
    private let quotas: Lock<[String: TenantQuota]>
    private let clock: @Sendable () -> MonotonicTime

    init(
        _ tenants: [Tenant]?,
        clock: @escaping @Sendable () -> MonotonicTime = { MonotonicTime.now() }
    ) {
        let list = tenants ?? []
        self.tenants = tenants.map { tenants in
            Dictionary(
                uniqueKeysWithValues: tenants.flatMap { one in
                    one.principals.map { ($0, one.name) }
                })
        }
        quotas = Lock(Dictionary(uniqueKeysWithValues: list.map { ($0.name, TenantQuota($0)) }))
        self.clock = clock
    }

    /// Begins a request, before anything is done for it. The adapter is checked as the request
    /// names it, so that nobody learns which others there are.
    func enter(_ principal: String, target: String) throws(InferenceError) -> TenantVisit {
        guard let tenants else { return TenantVisit(tenant: principal) {} }
        guard let name = tenants[principal] else {
            throw .tenantForbidden(what: "callers that no tenant names")
        }
        let now = clock()
        let failure = quotas.with { quotas -> InferenceError? in
            let prefix = "adapters/"
            let adapter =
                target.hasPrefix(prefix) ? String(target.dropFirst(prefix.count)) : "base"
            if let allowed = quotas[name]?.tenant.adapters, !allowed.contains(adapter) {
                return .tenantForbidden(what: "tenant \(name) and what it asks for")
            }
            do throws(InferenceError) { try quotas[name]?.enter(at: now) } catch { return error }
            return nil
        }
        if let failure { throw failure }
        return TenantVisit(tenant: name) { [quotas] in quotas.with { $0[name]?.leave() } }
    }
}

/// A request of a tenant that is under way.
struct TenantVisit: Sendable {
    let tenant: String
    /// To be called once, when the request is over.
    let end: @Sendable () -> Void
}
