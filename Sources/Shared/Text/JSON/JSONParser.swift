/// Reads JSON (RFC 8259) into an index.
struct JSONParser {
    let bytes: [UInt8]
    let depthMax: Int
    var nodes: [JSONDocument.Node] = []
    private var position = 0

    /// Positions are 32 bits wide.
    static let bytesMax = 1 << 30

    init(bytes: [UInt8], depthMax: Int) {
        (self.bytes, self.depthMax) = (bytes, depthMax)
    }

    mutating func parse() throws(JSONError) {
        guard bytes.count <= Self.bytesMax else {
            throw JSONError(offset: 0, why: "\(bytes.count) bytes, \(Self.bytesMax) allowed")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONError(offset: 0, why: "not UTF-8")
        }
        nodes.reserveCapacity(bytes.count / 12)
        try value(depth: 0)
        skipBlanks()
        if position < bytes.count { throw error("more after the value") }
    }

    private func error(_ why: String) -> JSONError { JSONError(offset: position, why: why) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(JSONError) {
        skipBlanks()
        switch current {
        case UInt8(ascii: "{"): try container(.object, "}", depth)
        case UInt8(ascii: "["): try container(.array, "]", depth)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true", .truth)
        case UInt8(ascii: "f"): try word("false", .lie)
        case UInt8(ascii: "n"): try word("null", .null)
        case .some: try number()
        case nil: throw error("ends where a value should be")
        }
    }

    private mutating func container(
        _ kind: JSONDocument.Kind, _ close: Unicode.Scalar, _ depth: Int
    ) throws(JSONError) {
        guard depth < depthMax else { throw error("nests deeper than \(depthMax)") }
        let index = nodes.count
        nodes.append(JSONDocument.Node(kind: kind, start: UInt32(position)))
        position += 1
        skipBlanks()
        var count: UInt32 = 0
        while current != UInt8(ascii: close) || count > 0 {
            if kind == .object { try key() }
            try value(depth: depth + 1)
            count += 1
            skipBlanks()
            if current == UInt8(ascii: close) { break }
            guard current == UInt8(ascii: ",") else { throw error("needs ',' or '\(close)'") }
            position += 1
        }
        position += 1
        nodes[index].end = UInt32(position)
        nodes[index].next = UInt32(nodes.count)
        nodes[index].count = count
    }

    private mutating func key() throws(JSONError) {
        skipBlanks()
        guard current == UInt8(ascii: "\"") else { throw error("needs a name in quotes") }
        try string()
        skipBlanks()
        guard current == UInt8(ascii: ":") else { throw error("needs ':'") }
        position += 1
    }

    private mutating func word(_ word: StaticString, _ kind: JSONDocument.Kind) throws(JSONError) {
        let end = position + word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer {
            bytes[position..<min(end, bytes.count)].elementsEqual($0)
        }
        guard matches else { throw error("is not a value") }
        leaf(kind, from: position, to: end)
        position = end
    }

    private mutating func leaf(
        _ kind: JSONDocument.Kind, from start: Int, to end: Int, isEscaped: Bool = false
    ) {
        nodes.append(
            JSONDocument.Node(
                kind: kind, isEscaped: isEscaped, start: UInt32(start), end: UInt32(end),
                next: UInt32(nodes.count + 1)))
    }

    private mutating func number() throws(JSONError) {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let whole = digits()
        var isNumber = whole > 0 && (whole == 1 || bytes[position - whole] != UInt8(ascii: "0"))
        if current == UInt8(ascii: ".") {
            position += 1
            isNumber = digits() > 0 && isNumber
        }
        if let exponent = current, exponent | 0x20 == UInt8(ascii: "e") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            isNumber = digits() > 0 && isNumber
        }
        guard isNumber else { throw error("is not a value") }
        leaf(.number, from: start, to: position)
    }

    /// Steps over digits and counts them.
    private mutating func digits() -> Int {
        let start = position
        while let digit = current, (0x30...0x39).contains(digit) { position += 1 }
        return position - start
    }

    private mutating func string() throws(JSONError) {
        position += 1
        let start = position
        var isEscaped = false
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                leaf(.string, from: start, to: position, isEscaped: isEscaped)
                position += 1
                return
            case UInt8(ascii: "\\"):
                isEscaped = true
                try escape()
            case 0..<0x20: throw error("has a control character in a string")
            default: position += 1
            }
        }
        throw error("ends within a string")
    }

    private mutating func escape() throws(JSONError) {
        position += 1
        switch current {
        case UInt8(ascii: "u"):
            guard position + 4 < bytes.count, Self.hex(bytes[(position + 1)...].prefix(4)) != nil
            else { throw error("needs four hexadecimal digits after \\u") }
            position += 5
        case .some(let letter) where Self.plainEscapes[letter] != nil: position += 1
        default: throw error("has an unknown escape")
        }
    }

    private static let plainEscapes: [UInt8: UInt8] = [
        0x22: 0x22, 0x5c: 0x5c, 0x2f: 0x2f, 0x62: 8, 0x66: 12, 0x6e: 10, 0x72: 13, 0x74: 9,
    ]

    private static func hex(_ digits: ArraySlice<UInt8>) -> UInt16? {
        var value: UInt16 = 0
        for digit in digits {
            guard let number = Character(Unicode.Scalar(digit)).hexDigitValue, digit < 0x80 else {
                return nil
            }
            value = value << 4 | UInt16(number)
        }
        return value
    }

    /// The bytes that an escaped string stands for; half a surrogate pair becomes U+FFFD.
    static func unescape(_ slice: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(slice.count)
        var position = slice.startIndex
        var units: [UInt16] = []
        while position < slice.endIndex {
            if slice[position] == 0x5c, slice[position + 1] == UInt8(ascii: "u") {
                units.append(hex(slice[(position + 2)...].prefix(4)) ?? 0)
                position += 6
                continue
            }
            flush(&units, into: &result)
            if slice[position] == 0x5c {
                result.append(plainEscapes[slice[position + 1]] ?? 0)
                position += 2
            } else {
                result.append(slice[position])
                position += 1
            }
        }
        flush(&units, into: &result)
        return result
    }

    private static func flush(_ units: inout [UInt16], into result: inout [UInt8]) {
        guard !units.isEmpty else { return }
        result += Array(String(decoding: units, as: UTF16.self).utf8)
        units.removeAll()
    }
}
