import Base
import Digests
import Messages
import Resources
import Storage

/// An adapter as the store has it.
struct AdapterRecord: Sendable {
    let id: Int64
    let digest: String
    let isLoaded: Bool
    /// What does not change while it is there.
    let stored: ServedAdapter
    let loadNanoseconds: Int64
    let aliases: [String]
}

/// A change of an alias.
struct AliasChange: Sendable {
    let alias: String
    /// Empty: the alias is removed.
    let digest: String
    let author, reason: String
    let now: Int64
}

extension Connection {
    /// An adapter; nil where there is none.
    func adapter(_ digest: String) throws -> AdapterRecord? {
        try adapters("WHERE sha = ?", digest).first
    }

    /// Adapters in the order of their loading.
    func adapters(_ condition: String, _ digest: String? = nil) throws -> [AdapterRecord] {
        let sql = "SELECT id, sha, is_loaded, message, load_ns FROM adapters \(condition)"
        var found: [(id: Int64, sha: String, isLoaded: Bool, message: Bytes, time: Int64)] = []
        if let digest {
            found = try rows(sql, .text(digest)) { Self.adapter($0) }
        } else {
            found = try rows(sql) { Self.adapter($0) }
        }
        return try found.map { one in
            AdapterRecord(
                id: one.id, digest: one.sha, isLoaded: one.isLoaded,
                stored: try ServedAdapter(decoding: one.message),
                loadNanoseconds: one.time, aliases: try aliases(of: one.sha))
        }
    }

    private static func adapter(
        _ row: Row
    ) -> (id: Int64, sha: String, isLoaded: Bool, message: Bytes, time: Int64) {
        (row.int64(0), row.text(1), row.bool(2), row.blob(3), row.int64(4))
    }

    /// What an alias points to; nil where there is none.
    func digest(ofAlias alias: String) throws -> String? {
        try first("SELECT sha FROM aliases WHERE alias = ?", .text(alias)) { $0.text(0) }
    }

    private func aliases(of digest: String) throws -> [String] {
        try rows("SELECT alias FROM aliases WHERE sha = ? ORDER BY alias", .text(digest)) {
            $0.text(0)
        }
    }

    /// Points an alias to an adapter that is loaded, or removes it.
    /// - Returns: where it pointed before; empty for nowhere
    func change(_ change: AliasChange) throws -> String {
        let previous = try digest(ofAlias: change.alias) ?? ""
        if change.digest.isEmpty {
            try run("DELETE FROM aliases WHERE alias = ?", .text(change.alias))
        } else {
            try run(
                "INSERT INTO aliases VALUES(?, ?, ?) ON CONFLICT(alias)"
                    + " DO UPDATE SET sha = excluded.sha, update_ns = excluded.update_ns",
                .text(change.alias), .text(change.digest), .integer(change.now))
        }
        guard previous != change.digest else { return previous }
        try run(
            "INSERT INTO alias_changes(alias, sha, previous_sha, author, reason, change_ns)"
                + " VALUES(?, ?, ?, ?, ?, ?)",
            .text(change.alias), .text(change.digest), .text(previous), .text(change.author),
            .text(change.reason), .integer(change.now))
        return previous
    }
}

/// "adapters/{alias}" or "adapters/sha256:{digest}".
enum AdapterName: Sendable, Hashable {
    case alias(String)
    case digest(String)

    static let form = "adapters/{alias} or adapters/sha256:{digest}"

    init(_ text: String, field: String) throws {
        guard text.hasPrefix("adapters/") else {
            throw ResourceError.badName(field: field, seen: text, form: Self.form)
        }
        let rest = String(text.dropFirst("adapters/".count))
        if rest.hasPrefix("sha256:") {
            self = .digest(try Self.digest(String(rest.dropFirst("sha256:".count)), field: field))
        } else {
            self = .alias(try Self.alias(rest, field: field))
        }
    }

    /// An alias of the form allowed.
    static func alias(_ text: String, field: String) throws -> String {
        let first = text.utf8.first.map(Self.isPlain) ?? false
        let isAllowed = text.utf8.allSatisfy {
            Self.isPlain($0) || [0x2e, 0x5f, 0x2d].contains($0)
        }
        guard first, isAllowed, text.utf8.count <= 63 else {
            throw ResourceError.invalid(
                field: field, seen: text, allowed: "[a-z0-9][a-z0-9._-]{0,62} is allowed")
        }
        return text
    }

    /// 64 hexadecimal digits.
    static func digest(_ text: String, field: String) throws -> String {
        guard text.utf8.count == 64, Hexadecimal.bytes(text) != nil else {
            throw ResourceError.invalid(
                field: field, seen: text, allowed: "64 lower-case hexadecimal digits are allowed")
        }
        return text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    }
}
