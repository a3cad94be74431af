/// Strings as the libraries write them whose files ours equal byte for byte.
enum JSONQuoting {
    /// Appends `text` in quotes, with escapes only where JSON asks for them.
    static func append(_ text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in text.utf8 where !appendEscape(of: UInt16(byte), to: &json) {
            json.append(byte)
        }
        json.append(UInt8(ascii: "\""))
    }

    /// Appends `text` in quotes, everything beyond ASCII as escapes too.
    static func appendASCII(_ text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for unit in text.utf16 where !appendEscape(of: unit, to: &json) {
            if unit < 0x80 { json.append(UInt8(unit)) } else { appendHex(unit, to: &json) }
        }
        json.append(UInt8(ascii: "\""))
    }

    /// False for what needs no escape.
    private static func appendEscape(of unit: UInt16, to json: inout [UInt8]) -> Bool {
        switch unit {
        case 0x22: json += "\\\"".utf8
        case 0x5c: json += "\\\\".utf8
        case 0x08: json += "\\b".utf8
        case 0x09: json += "\\t".utf8
        case 0x0a: json += "\\n".utf8
        case 0x0c: json += "\\f".utf8
        case 0x0d: json += "\\r".utf8
        case 0..<0x20: appendHex(unit, to: &json)
        default: return false
        }
        return true
    }

    private static func appendHex(_ unit: UInt16, to json: inout [UInt8]) {
        json += "\\u".utf8
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(unit >> UInt16(shift) & 15)
            json.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}
