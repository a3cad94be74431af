/// GPT-2's way of writing any byte as a printable character, used by byte-level vocabularies.
///
/// Printable Latin-1 stands for itself; the other 68 bytes are U+0100 and following, in order.
enum ByteAlphabet {
    /// The byte that a character stands for; 256 and more for characters that stand for none.
    private static let bytes: [UInt16] = {
        var bytes = [UInt16](repeating: 256, count: 0x144)
        var next = 0x100
        for byte in UInt16(0)..<256 {
            let isPrintable =
                (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte)
                || (0xae...0xff).contains(byte)
            bytes[isPrintable ? Int(byte) : next] = byte
            next += isPrintable ? 0 : 1
        }
        return bytes
    }()

    /// What a vocabulary entry stands for.
    ///
    /// - Returns: nil if a character of it stands for no byte; then it means its own UTF-8
    static func decode(_ token: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        var lead = 0
        for unit in token {
            switch unit {
            case 0..<0x80: lead = Int(unit)
            case 0x80..<0xc0: lead = lead << 6 | Int(unit & 0x3f)
            case 0xc0..<0xe0:
                lead = Int(unit & 0x1f)
                continue
            default: return nil
            }
            guard lead < bytes.count, bytes[lead] < 256 else { return nil }
            result.append(UInt8(bytes[lead]))
        }
        return result
    }
}
