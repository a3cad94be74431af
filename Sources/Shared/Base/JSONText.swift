/// Writes JSON text piece by piece, in the order given and without spaces.
///
/// Small and for output only: log lines and what command-line verbs print for programs.
package struct JSONText: Sendable {
    package private(set) var utf8: [UInt8] = []
    /// Whether the innermost object or array has a member already.
    private var needsComma = false

    package init() {}

    /// The text so far.
    package var text: String { String(decoding: utf8, as: UTF8.self) }

    /// Writes `{`, what `body` writes, `}`.
    package mutating func object(_ body: (inout JSONText) -> Void) {
        nested("{", "}", body)
    }

    /// Writes `[`, what `body` writes, `]`.
    package mutating func array(_ body: (inout JSONText) -> Void) {
        nested("[", "]", body)
    }

    /// Writes the key of the member that comes next.
    package mutating func key(_ name: String) {
        separate()
        quote(name)
        utf8.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func value(_ text: String) {
        separate()
        quote(text)
    }

    package mutating func value(_ number: Int) { raw(String(number)) }

    /// Numbers that JSON cannot say become null.
    package mutating func value(_ number: Double) {
        raw(number.isFinite ? JSONText.shortest(number) : "null")
    }

    package mutating func value(_ truth: Bool) { raw(truth ? "true" : "false") }

    /// Writes a value that is JSON already.
    package mutating func literal(_ json: String) { raw(json) }

    /// Writes null.
    package mutating func null() { raw("null") }

    /// Writes a key and its value.
    package mutating func member(_ name: String, _ text: String) {
        key(name)
        value(text)
    }

    package mutating func member(_ name: String, _ number: Int) {
        key(name)
        value(number)
    }

    package mutating func member(_ name: String, _ number: Double) {
        key(name)
        value(number)
    }

    package mutating func member(_ name: String, _ truth: Bool) {
        key(name)
        value(truth)
    }

    /// Ends a line.
    package mutating func newline() {
        utf8.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    private mutating func nested(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONText) -> Void
    ) {
        separate()
        utf8.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        utf8.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func raw(_ text: String) {
        separate()
        utf8.append(contentsOf: text.utf8)
    }

    private mutating func separate() {
        if needsComma { utf8.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Whole numbers without `.0`, others as short as reads back the same.
    private static func shortest(_ number: Double) -> String {
        if let whole = Int(exactly: number), abs(whole) < 1 << 53 { return String(whole) }
        return String(number)
    }

    private mutating func quote(_ text: String) {
        utf8.append(UInt8(ascii: "\""))
        for byte in text.utf8 { append(escaping: byte) }
        utf8.append(UInt8(ascii: "\""))
    }

    /// Control characters, DEL too, never reach a terminal that shows the text.
    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            utf8.append(UInt8(ascii: "\\"))
            utf8.append(byte)
        case UInt8(ascii: "\n"): utf8.append(contentsOf: "\\n".utf8)
        case UInt8(ascii: "\r"): utf8.append(contentsOf: "\\r".utf8)
        case UInt8(ascii: "\t"): utf8.append(contentsOf: "\\t".utf8)
        case 0..<0x20, 0x7f:
            utf8.append(contentsOf: "\\u00".utf8)
            utf8.append(JSONText.hexDigit(byte >> 4))
            utf8.append(JSONText.hexDigit(byte & 15))
        default: utf8.append(byte)
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x57 + value
    }
}
