/// The eight ways in which EXIF says a stored picture lies.
package enum Orientation: Int, Sendable, Hashable, CaseIterable {
    case upright = 1
    case mirrored, upsideDown, flipped, transposed, turnedLeft, transversed, turnedRight

    /// Whether standing upright swaps width and height.
    package var swapsSides: Bool { rawValue >= 5 }

    /// The tag of EXIF and TIFF.
    static let tag = 0x0112

    /// The orientation that an EXIF block (a small TIFF file) states.
    static func inEXIF(_ block: ByteReader) -> Orientation? {
        // Some writers repeat the prefix that JPEG puts before the block.
        let prefix = block.matches("Exif\0\0", at: 0) ? 6 : 0
        guard let file = TIFFStructure(block.part(prefix..<block.count)),
            let value = file.directory(at: file.firstDirectory)?.number(tag)
        else { return nil }
        return Orientation(rawValue: value)
    }

    /// The orientation that an XMP packet states, found as Pillow finds it: by its name.
    static func inXMP(_ packet: ByteReader) -> Orientation? {
        let name: StaticString = "tiff:Orientation"
        var offset = 0
        while offset < packet.count {
            defer { offset += 1 }
            guard packet.bytes[offset] == 0x74, packet.matches(name, at: offset) else { continue }
            var place = offset + name.utf8CodeUnitCount
            if packet.matches("=\"", at: place) {
                place += 2
            } else if packet.matches(">", at: place) {
                place += 1
            } else {
                continue
            }
            guard let digit = packet.byte(place), (0x30...0x39).contains(digit) else { continue }
            return Orientation(rawValue: digit - 0x30)
        }
        return nil
    }
}
