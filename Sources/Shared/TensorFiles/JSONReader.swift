/// Reads strict JSON (RFC 8259) from its start to its end, in time linear in its length.
///
/// Foundation's `JSONSerialization` would keep one of two members with the same name, make
/// fractions of whole numbers beyond 2⁵³, and build a tree many times the size of the text. Here
/// the caller says which value it expects next, and refuses what it does not like at once.
struct JSONReader {
    /// A number as it is written.
    struct Number {
        /// Where it is written.
        let place: Range<Int>
        /// Its value; nil if it is negative, fractional or beyond `Int.max`.
        let count: Int?
    }

    /// Objects and arrays within each other; headers and indexes need three levels.
    static let depthMax = 32

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0

    /// - Parameter bytes: must stay valid as long as the reader is used
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Reads an object; `member` reads the value of each member.
    mutating func object(
        _ member: (inout JSONReader, _ name: ExactName) throws(FormatError) -> Void
    ) throws(FormatError) {
        try open(UInt8(ascii: "{"), "an object")
        if !take(UInt8(ascii: "}")) {
            repeat {
                let name = try name()
                guard take(UInt8(ascii: ":")) else { throw unexpected("a colon") }
                try member(&self, name)
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw unexpected("a comma or the object's end") }
        }
        depth -= 1
    }

    /// Reads an array; `element` reads each element.
    mutating func array(
        _ element: (inout JSONReader) throws(FormatError) -> Void
    ) throws(FormatError) {
        try open(UInt8(ascii: "["), "an array")
        if !take(UInt8(ascii: "]")) {
            repeat { try element(&self) } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw unexpected("a comma or the array's end") }
        }
        depth -= 1
    }

    /// Reads the name of a member.
    private mutating func name() throws(FormatError) -> ExactName {
        let name = ExactName(try string())
        try name.checkLength()
        return name
    }

    /// Reads a string.
    mutating func string() throws(FormatError) -> String {
        guard take(UInt8(ascii: "\"")) else { throw unexpected("a string") }
        let start = position
        var decoded: [UInt8] = []
        var run = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let end = position
                position += 1
                // Escapes are rare: without them the text is made from the bytes as they lie.
                guard !decoded.isEmpty else { return try text(bytes[run..<end], at: start) }
                return try text(decoded + bytes[run..<end], at: start)
            case UInt8(ascii: "\\"):
                decoded += bytes[run..<position]
                position += 1
                try escape(into: &decoded)
                run = position
            case 0..<0x20: throw unexpected("no control character in a string")
            default: position += 1
            }
        }
        throw unexpected("the end of a string")
    }

    /// Reads a number.
    mutating func number() throws(FormatError) -> Number {
        _ = peek()
        let start = position
        let isNegative = advance(over: UInt8(ascii: "-"))
        let whole = try digits()
        guard whole.count == 1 || bytes[whole.lowerBound] != UInt8(ascii: "0") else {
            throw unexpected("a number without leading zeros")
        }
        if advance(over: UInt8(ascii: ".")) { _ = try digits() }
        if advance(over: UInt8(ascii: "e")) || advance(over: UInt8(ascii: "E")) {
            if !advance(over: UInt8(ascii: "+")) { _ = advance(over: UInt8(ascii: "-")) }
            _ = try digits()
        }
        let isCount = !isNegative && position == whole.upperBound
        return Number(place: start..<position, count: isCount ? value(of: whole) : nil)
    }

    /// Reads a value of any kind and forgets it.
    mutating func skip() throws(FormatError) {
        switch peek() {
        case UInt8(ascii: "{"):
            try object { (reader, _) throws(FormatError) in try reader.skip() }
        case UInt8(ascii: "["):
            try array { (reader) throws(FormatError) in try reader.skip() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: _ = try number()
        }
    }

    /// Fails unless only white space is left.
    mutating func end() throws(FormatError) {
        guard peek() == nil else { throw unexpected("nothing after the value") }
    }

    /// How a number is written, cut where it is longer than any number that is allowed.
    func spelling(_ number: Number) -> String {
        String(decoding: bytes[number.place].prefix(40), as: UTF8.self)
    }

    /// The error that something else was expected here.
    func unexpected(_ expected: String) -> FormatError {
        .unexpected(at: position, expected: expected)
    }

    /// The first byte after white space; nil at the end.
    private mutating func peek() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0a, 0x0d, 0x09: position += 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// Steps over `byte` if it comes next after white space.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    /// Steps over `byte` if it comes next, white space included.
    private mutating func advance(over byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func open(_ byte: UInt8, _ what: String) throws(FormatError) {
        guard take(byte) else { throw unexpected(what) }
        depth += 1
        guard depth <= JSONReader.depthMax else {
            throw .tooDeep(at: position - 1, depthMax: JSONReader.depthMax)
        }
    }

    private mutating func word(_ word: StaticString) throws(FormatError) {
        for offset in 0..<word.utf8CodeUnitCount
        where !advance(over: word.utf8Start[offset]) {
            throw unexpected("\(word)")
        }
    }

    /// Steps over one digit or more.
    private mutating func digits() throws(FormatError) -> Range<Int> {
        let start = position
        while position < bytes.count, case 0x30...0x39 = bytes[position] { position += 1 }
        guard position > start else { throw unexpected("a number") }
        return start..<position
    }

    private func value(of digits: Range<Int>) -> Int? {
        var value = 0
        for byte in bytes[digits] {
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = tens.addingReportingOverflow(Int(byte) - 0x30)
            guard !overflows, !carries else { return nil }
            value = sum
        }
        return value
    }

    private func text(
        _ utf8: some Collection<UInt8>, at start: Int
    ) throws(FormatError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else { throw .notUTF8(at: start) }
        return text
    }
}

/// Escapes.
extension JSONReader {
    /// Decodes what follows a backslash.
    private mutating func escape(into decoded: inout [UInt8]) throws(FormatError) {
        guard position < bytes.count else { throw unexpected("the end of a string") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0c)
        case UInt8(ascii: "n"): decoded.append(0x0a)
        case UInt8(ascii: "r"): decoded.append(0x0d)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"): decoded += UTF8.encode(try escapedScalar()) ?? .init()
        default: throw unexpected("an escape that JSON has")
        }
    }

    /// Decodes what follows `\u`: one unit of UTF-16, or two that are a pair.
    private mutating func escapedScalar() throws(FormatError) -> Unicode.Scalar {
        let unit = try hexUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard (0xd800..<0xdc00).contains(unit), advance(over: UInt8(ascii: "\\")),
            advance(over: UInt8(ascii: "u")), case let low = try hexUnit(),
            (0xdc00..<0xe000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
        else { throw unexpected("a pair of surrogates") }
        return scalar
    }

    private mutating func hexUnit() throws(FormatError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count,
                let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
            else { throw unexpected("four hexadecimal digits") }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }
}
