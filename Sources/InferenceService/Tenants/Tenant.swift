import Base
import Foundation
import Operation

/// Who shares the model with others, and how much of it may be had.
struct Tenant: Sendable, Hashable, Decodable {
    /// Letters for messages and metrics.
    let name: String
    /// Names of tokens or subjects of certificates; "" for callers without either.
    let principals: [String]
    /// Aliases and "sha256:{digest}", as requests name them, and "base"; nil for all.
    let adapters: Set<String>?
    /// The most requests at once; nil for any number.
    let runningMax: Int?
    /// nil for any number.
    let requestsPerMinute: Int?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, principals, adapters
        case runningMax = "running_max"
        case requestsPerMinute = "requests_per_minute"
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(
        name: String, principals: [String], adapters: Set<String>? = nil, runningMax: Int? = nil,
        requestsPerMinute: Int? = nil
    ) {
        (self.name, self.principals, self.adapters) = (name, principals, adapters)
        (self.runningMax, self.requestsPerMinute) = (runningMax, requestsPerMinute)
    }

    init(from decoder: any Decoder) throws {
        let known = CodingKeys.allCases.map(\.rawValue)
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys
        where !known.contains(key.stringValue) {
            throw TenantFault(why: "'\(key.stringValue)' is unknown; \(known) are allowed")
        }
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try members.decode(String.self, forKey: .name),
            principals: try members.decode([String].self, forKey: .principals),
            adapters: try members.decodeIfPresent(Set<String>.self, forKey: .adapters),
            runningMax: try members.decodeIfPresent(Int.self, forKey: .runningMax),
            requestsPerMinute: try members.decodeIfPresent(Int.self, forKey: .requestsPerMinute))
        try check()
    }

    private func check() throws {
        guard (1...63).contains(name.utf8.count), !principals.isEmpty else {
            throw TenantFault(why: "a tenant needs a name of 1 to 63 bytes, and principals")
        }
        for (key, value) in [
            ("running_max", runningMax), ("requests_per_minute", requestsPerMinute),
        ] {
            guard let value, !(1...Self.quotaMax).contains(value) else { continue }
            throw TenantFault(
                why: "\(key) of '\(name)' is \(value); 1 to \(Self.quotaMax) is allowed")
        }
    }

    static let quotaMax = 60_000

    /// Reads a file: a JSON list of tenants. No principal has two.
    static func list(inFile path: String) throws -> [Tenant] {
        let what = "the file of tenants"
        do {
            let bytes = try SmallFile.read(path).get()
            let tenants = try JSONDecoder().decode([Tenant].self, from: Data(bytes))
            let principals = tenants.flatMap(\.principals)
            guard Set(principals).count == principals.count,
                Set(tenants.map(\.name)).count == tenants.count
            else { throw TenantFault(why: "a principal or a name of a tenant stands there twice") }
            return tenants
        } catch let error as SystemError {
            throw UsageError.unreadable(what: what, path: path, why: error.words)
        } catch let fault as TenantFault {
            throw UsageError.malformed(what: what, path: path, why: fault.why)
        } catch {
            throw UsageError.malformed(
                what: what, path: path,
                why: "it is not a list such as [{\"name\": \"a\", \"principals\": [\"ci\"]}]")
        }
    }
}

/// What is wrong with a file of tenants.
private struct TenantFault: Error {
    let why: String
}
