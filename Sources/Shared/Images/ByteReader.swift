/// Numbers at any place of untrusted bytes; nil where there are none.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    var isBigEndian = true

    var count: Int { bytes.count }

    func byte(_ offset: Int) -> Int? {
        bytes.indices.contains(offset) ? Int(bytes[offset]) : nil
    }

    /// `width` bytes, at most 8, as one number; nil if it does not fit into an `Int`.
    func number(_ offset: Int, width: Int) -> Int? {
        guard offset >= 0, offset <= count - width else { return nil }
        var value: UInt64 = 0
        for index in 0..<width {
            let place = isBigEndian ? index : width - 1 - index
            value = value << 8 | UInt64(bytes[offset + place])
        }
        return Int(exactly: value)
    }

    func two(_ offset: Int) -> Int? { number(offset, width: 2) }
    func four(_ offset: Int) -> Int? { number(offset, width: 4) }

    func matches(_ text: StaticString, at offset: Int) -> Bool {
        guard offset >= 0, offset <= count - text.utf8CodeUnitCount else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[offset + $0] == text.utf8Start[$0] }
    }

    /// The bytes at `range` as far as they exist.
    func part(_ range: Range<Int>) -> ByteReader {
        let clamped = range.clamped(to: 0..<count)
        return ByteReader(
            bytes: UnsafeRawBufferPointer(rebasing: bytes[clamped]), isBigEndian: isBigEndian)
    }
}
