package import Base
package import RPC

/// Who may call: the lines of a token file.
///
///     # name        role       secret, hashed         expires
///     labelling     annotator  sha256:ID:SALT:DIGEST  expires=2027-06-30
///     "cert:CN=ci"  trainer
///
/// A line has a name, a role, and either the hash of a token or, where the name begins with
/// `cert:`, nothing: then it stands for a client certificate with exactly that subject. A token is
/// valid to the end of the day, UTC, on which it expires.
package struct TokenFile: Sendable {
    /// One line.
    package struct Entry: Sendable {
        package let principal: Principal
        /// nil for a certificate.
        package let hash: TokenHash?
        /// The first second, since 1970, at which the entry is no longer valid.
        let endUnixSeconds: Int64?

        /// Whether the entry is over at that second since 1970.
        package func isExpired(at unixSeconds: Int64) -> Bool {
            endUnixSeconds.map { unixSeconds >= $0 } ?? false
        }
    }

    /// More lines than this are refused.
    static let entriesMax = 100_000

    /// By the identifier of the token.
    private(set) var tokens: [String: Entry] = [:]
    /// By the subject of the certificate.
    private(set) var certificates: [String: Entry] = [:]

    package var count: Int { tokens.count + certificates.count }

    /// Reads the text of a file; a line that cannot be read refuses all of them.
    package init(parsing text: String) throws(TokenFileError) {
        var names: Set<String> = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            guard let words = TokenFile.words(line) else {
                throw .badLine(index + 1, why: "a quotation mark is not closed")
            }
            guard !words.isEmpty else { continue }
            let entry: Entry
            do { entry = try TokenFile.entry(words) } catch {
                throw .badLine(index + 1, why: error.words)
            }
            guard names.insert(entry.principal.name).inserted, add(entry) else {
                throw .badLine(index + 1, why: "the name or token occurs twice")
            }
            guard count <= TokenFile.entriesMax else {
                throw .badLine(
                    index + 1, why: "more than the \(TokenFile.entriesMax) entries allowed")
            }
        }
    }

    /// The line for a new token.
    package static func line(
        name: String, role: Role, hash: TokenHash, expires: CivilDate?
    ) -> String {
        "\(name) \(role.rawValue) \(hash)" + (expires.map { " expires=\($0)" } ?? "")
    }

    /// Whether `name` may stand in a file without quotes, and in logs.
    package static func isValidName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "@"):
                    true
                default: false
                }
            }
    }

    private mutating func add(_ entry: Entry) -> Bool {
        guard let hash = entry.hash else {
            let subject = String(entry.principal.name.dropFirst(5))
            return certificates.updateValue(entry, forKey: subject) == nil
        }
        return tokens.updateValue(entry, forKey: hash.id) == nil
    }

    /// Why a line is refused.
    private struct Complaint: Error {
        let words: String
    }

    private static func entry(_ words: [String]) throws(Complaint) -> Entry {
        let isCertificate = words[0].hasPrefix("cert:") && words[0].utf8.count > 5
        guard isCertificate || isValidName(words[0]) else {
            throw Complaint(
                words: "'\(words[0])' is not a name: up to 64 letters, digits, - _ . @ are allowed,"
                    + " or cert:SUBJECT")
        }
        let required = isCertificate ? 2 : 3
        guard words.count >= required, words.count <= required + 1 else {
            throw Complaint(
                words: isCertificate
                    ? "write \"cert:SUBJECT\" ROLE [expires=YYYY-MM-DD]"
                    : "write NAME ROLE sha256:ID:SALT:DIGEST [expires=YYYY-MM-DD]")
        }
        var hash: TokenHash?
        if !isCertificate {
            hash = TokenHash(words[2])
            guard hash != nil else {
                throw Complaint(words: "the third word is not a hash; make one with token create")
            }
        }
        let end = words.count > required ? try endOfValidity(words[required]) : nil
        let principal = Principal(name: words[0], role: try role(words[1]))
        return Entry(principal: principal, hash: hash, endUnixSeconds: end)
    }

    private static func role(_ word: String) throws(Complaint) -> Role {
        guard let role = Role(rawValue: word) else {
            throw Complaint(words: "'\(word)' is not a role; one of \(Role.names) is allowed")
        }
        return role
    }

    private static func endOfValidity(_ word: String) throws(Complaint) -> Int64 {
        guard word.hasPrefix("expires="), let day = CivilDate(String(word.dropFirst(8))) else {
            throw Complaint(words: "'\(word)' is not a date; write expires=YYYY-MM-DD")
        }
        return day.unixSeconds + 86_400
    }

    /// The words of a line without its comment; a word in quotes may hold spaces. nil if a quote
    /// stays open.
    private static func words(_ line: Substring) -> [String]? {
        var words: [String] = []
        var rest = line[...]
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
            guard let first = rest.first, first != "#" else { return words }
            if first == "\"" {
                let body = rest.dropFirst()
                guard let end = body.firstIndex(of: "\"") else { return nil }
                words.append(String(body[..<end]))
                rest = body[body.index(after: end)...]
            } else {
                let word = rest.prefix { $0 != " " && $0 != "\t" && $0 != "\r" }
                words.append(String(word))
                rest = rest[word.endIndex...]
            }
        }
    }
}

/// Why a token file is refused.
package enum TokenFileError: Failure, Hashable {
    case badLine(Int, why: String)

    package var kind: FailureKind { .precondition }
    package var reason: String { "BAD_TOKEN_FILE" }

    package var message: String {
        switch self {
        case .badLine(let line, let why): "line \(line): \(why)"
        }
    }
}

extension Role {
    /// All roles, for messages.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
