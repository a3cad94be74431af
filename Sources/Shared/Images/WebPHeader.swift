/// What a WebP file says: a RIFF file of chunks, of which animations have one for each frame.
enum WebPHeader {
    static func read(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        var reader = reader
        reader.isBigEndian = false
        guard reader.count >= 30 else { throw .truncated(.webp, byteCount: reader.count) }
        if reader.matches("VP8 ", at: 12) { return try lossy(reader) }
        if reader.matches("VP8L", at: 12) { return try lossless(reader) }
        if reader.matches("VP8X", at: 12) { return try extended(reader) }
        throw .broken(.webp, "no picture chunk")
    }

    private static func lossy(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        guard let width = reader.two(26), let height = reader.two(28),
            reader.number(23, width: 3) == 0x2a019d
        else { throw .broken(.webp, "no frame header") }
        return ImageHeader(.webp, width: width & 0x3fff, height: height & 0x3fff)
    }

    private static func lossless(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        guard reader.byte(20) == 0x2f, let bits = reader.four(21) else {
            throw .broken(.webp, "no frame header")
        }
        let (width, height) = (bits & 0x3fff + 1, bits >> 14 & 0x3fff + 1)
        var header = ImageHeader(.webp, width: width, height: height)
        header.hasAlpha = bits >> 28 & 1 == 1
        return header
    }

    private static func extended(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        guard let flags = reader.byte(20), let width = reader.number(24, width: 3),
            let height = reader.number(27, width: 3)
        else { throw .truncated(.webp, byteCount: reader.count) }
        var header = ImageHeader(.webp, width: width + 1, height: height + 1)
        header.hasAlpha = flags & 0x10 != 0
        let isAnimated = flags & 0x02 != 0
        noteChunks(reader, &header)
        if isAnimated, header.frame == nil { throw .truncated(.webp, byteCount: reader.count) }
        if !isAnimated { (header.frame, header.frameCount) = (nil, 1) }
        return header
    }

    private static func noteChunks(_ reader: ByteReader, _ header: inout ImageHeader) {
        var (offset, frames) = (12, 0)
        var (exif, xmp): (Orientation?, Orientation?) = (nil, nil)
        while let length = reader.four(offset + 4) {
            let place = offset + 8..<offset + 8 + length
            if reader.matches("ANMF", at: offset) {
                frames += 1
                header.frame = header.frame ?? frame(reader, place)
            } else if reader.matches("EXIF", at: offset) {
                exif = exif ?? Orientation.inEXIF(reader.part(place))
            } else if reader.matches("XMP ", at: offset) {
                xmp = xmp ?? Orientation.inXMP(reader.part(place))
            }
            // Chunks are padded to an even length.
            offset = place.upperBound + length & 1
        }
        header.frameCount = max(1, frames)
        header.orientation = exif ?? xmp ?? .upright
    }

    private static func frame(_ reader: ByteReader, _ place: Range<Int>) -> FrameRegion? {
        let start = place.lowerBound
        guard place.count > 16, place.upperBound <= reader.count,
            let x = reader.number(start, width: 3), let y = reader.number(start + 3, width: 3),
            let width = reader.number(start + 6, width: 3),
            let height = reader.number(start + 9, width: 3)
        else { return nil }
        return FrameRegion(
            bytes: start + 16..<place.upperBound, x: 2 * x, y: 2 * y, width: width + 1,
            height: height + 1)
    }
}
