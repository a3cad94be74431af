/// What a JPEG file says before its first scan.
enum JPEGHeader {
    private struct Found {
        var size: (width: Int, height: Int)?
        var exif: Orientation?
        var xmp: Orientation?
    }

    static func read(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        var found = Found()
        var offset = 2
        while let marker = nextMarker(reader, &offset), marker != Marker.startOfScan {
            // These stand alone.
            if (0xd0...0xd8).contains(marker) || marker == 0x01 { continue }
            if marker == Marker.endOfImage { break }
            guard let length = reader.two(offset), length >= 2 else { break }
            try note(marker, reader.part(offset + 2..<offset + length), &found)
            offset += length
        }
        guard let size = found.size else { throw .truncated(.jpeg, byteCount: reader.count) }
        var header = ImageHeader(.jpeg, width: size.width, height: size.height)
        header.orientation = found.exif ?? found.xmp ?? .upright
        return header
    }

    /// Finds the next marker, skipping what lies before it, and moves behind it.
    private static func nextMarker(_ reader: ByteReader, _ offset: inout Int) -> Int? {
        while let byte = reader.byte(offset), let next = reader.byte(offset + 1) {
            offset += 1
            guard byte == 0xff, next != 0xff, next != 0 else { continue }
            offset += 1
            return next
        }
        return nil
    }

    private static func note(
        _ marker: Int, _ body: ByteReader, _ found: inout Found
    ) throws(ImageError) {
        let xmpName: StaticString = "http://ns.adobe.com/xap/1.0/\0"
        if Marker.isFrame(marker), found.size == nil {
            guard let height = body.two(1), let width = body.two(3) else { return }
            guard body.byte(0) == 8 else {
                throw .unsupported(.jpeg, "\(body.byte(0) ?? 0) bits a sample")
            }
            found.size = (width, height)
        } else if marker == Marker.app1, body.matches("Exif\0\0", at: 0), found.exif == nil {
            found.exif = Orientation.inEXIF(body)
        } else if marker == Marker.app1, body.matches(xmpName, at: 0), found.xmp == nil {
            found.xmp = Orientation.inXMP(body)
        }
    }

    private enum Marker {
        static let endOfImage = 0xd9
        static let startOfScan = 0xda
        static let app1 = 0xe1

        /// C4, C8 and CC are tables.
        static func isFrame(_ marker: Int) -> Bool {
            (0xc0...0xcf).contains(marker) && ![0xc4, 0xc8, 0xcc].contains(marker)
        }
    }
}
