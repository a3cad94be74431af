package import Base

/// Key-value pairs that travel before (initial) or after (trailing) the messages of a call.
///
/// Names are lower-case ASCII letters, digits, `_`, `-` and `.`; a name that ends in `-bin` holds
/// bytes, any other printable ASCII. A name may occur several times; order is kept.
package struct Metadata: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let value: Bytes

        /// The value as text.
        package var text: String { String(decoding: value, as: UTF8.self) }
    }

    package private(set) var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// Appends a text value. Returns false, and appends nothing, if the name or the value may not
    /// travel: gRPC reserves names that begin with `grpc-` or `:`.
    @discardableResult
    package mutating func append(_ name: String, _ text: String) -> Bool {
        guard Metadata.isValidName(name), !name.hasSuffix("-bin"),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7e })
        else { return false }
        entries.append(Entry(name: name, value: Bytes(text)))
        return true
    }

    /// Appends bytes; the name must end in `-bin`.
    @discardableResult
    package mutating func append(_ name: String, bytes: Bytes) -> Bool {
        guard Metadata.isValidName(name), name.hasSuffix("-bin") else { return false }
        entries.append(Entry(name: name, value: bytes))
        return true
    }

    /// The first text value of that name.
    package subscript(name: String) -> String? {
        entries.first { $0.name == name }?.text
    }

    /// The first bytes of that name.
    package func bytes(_ name: String) -> Bytes? {
        entries.first { $0.name == name }?.value
    }

    /// Appends what came over the wire, which the HTTP/2 layer has checked.
    mutating func appendReceived(_ name: String, _ value: Bytes) {
        entries.append(Entry(name: name, value: value))
    }

    private static func isValidName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("grpc-")
            && !["te", "content-type", "user-agent", "connection"].contains(name)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
