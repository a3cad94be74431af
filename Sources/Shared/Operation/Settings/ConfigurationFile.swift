import Base
internal import FoundationEssentials

/// A JSON object in a file, its members in order of name.
struct ConfigurationFile {
    /// More bytes than this are no configuration.
    static let bytesMax = 1 << 20

    let path: String
    let members: [(key: String, value: JSONValue)]

    init(path: String, reading read: (String) -> Result<Bytes, SystemError>) throws(UsageError) {
        let what = "the configuration file"
        let bytes: Bytes
        switch read(path) {
        case .success(let content): bytes = content
        case .failure(let error):
            throw .unreadable(what: what, path: path, why: error.words)
        }
        guard bytes.count <= Self.bytesMax else {
            throw .malformed(
                what: what, path: path,
                why: "it has \(bytes.count) bytes; at most \(Self.bytesMax) are allowed")
        }
        guard case .object(let members)? = JSONValue(parsing: bytes) else {
            throw .malformed(
                what: what, path: path,
                why: "it is not one JSON object such as {\"data\": \"/var/lib/fovea\"}")
        }
        self.path = path
        self.members = members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

/// A JSON value of a configuration.
enum JSONValue: Sendable, Hashable, Decodable {
    case null
    case truth(Bool)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// nil if the bytes are not JSON.
    init?(parsing bytes: Bytes) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)) else {
            return nil
        }
        self = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let truth = try? container.decode(Bool.self) {
            self = .truth(truth)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let array = try? container.decode([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }
}

extension JSONValue: CustomStringConvertible {
    /// For messages: a value, or what kind of thing it is.
    var description: String {
        switch self {
        case .null: "null"
        case .truth(let truth): String(truth)
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        case .text(let text): text
        case .array: "an array"
        case .object: "an object"
        }
    }
}
