/// What a PNG file says about its picture; chunks behind the pixels are looked at too.
enum PNGHeader {
    static func read(_ reader: ByteReader) throws(ImageError) -> ImageHeader {
        guard let width = reader.four(16), let height = reader.four(20),
            let kind = reader.byte(25)
        else { throw .truncated(.png, byteCount: reader.count) }
        guard reader.matches("IHDR", at: 12) else { throw .broken(.png, "no header chunk") }
        var header = ImageHeader(.png, width: width, height: height)
        header.hasAlpha = kind & 4 != 0
        noteChunks(reader, &header)
        return header
    }

    private static func noteChunks(_ reader: ByteReader, _ header: inout ImageHeader) {
        var offset = 8
        var (exif, xmp): (Orientation?, Orientation?) = (nil, nil)
        while let length = reader.four(offset), !reader.matches("IEND", at: offset + 4) {
            let body = reader.part(offset + 8..<offset + 8 + length)
            if reader.matches("tRNS", at: offset + 4) {
                header.hasAlpha = true
            } else if reader.matches("acTL", at: offset + 4) {
                header.frameCount = max(1, body.four(0) ?? 1)
            } else if reader.matches("eXIf", at: offset + 4) {
                exif = exif ?? Orientation.inEXIF(body)
            } else if reader.matches("iTXt", at: offset + 4),
                body.matches("XML:com.adobe.xmp\0", at: 0)
            {
                xmp = xmp ?? Orientation.inXMP(body)
            }
            offset += length + 12
        }
        header.orientation = exif ?? xmp ?? .upright
    }
}
