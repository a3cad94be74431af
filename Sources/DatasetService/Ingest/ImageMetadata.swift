import Base
import Glibc
import Images

/// Takes out of an encoded image what is not picture: EXIF with its places and cameras, comments,
/// previews, whatever follows the end. The coded pixels stay bit for bit; colour profiles stay.
enum ImageMetadata {
    /// The image without metadata; nil for a kind or a structure that cannot be cut, which is then
    /// encoded anew.
    static func stripped(_ bytes: Bytes, _ format: ImageFormat) -> Bytes? {
        bytes.withUnsafeBytes { raw in
            switch format {
            case .jpeg: jpeg(raw)
            case .png: png(raw)
            case .webp: webp(raw)
            case .tiff: nil
            }
        }
    }

    /// Segments up to the end of the image (ITU T.81, annex B). Kept of the application's own: JFIF
    /// (APP0), colour profiles (APP2) and Adobe's colour transform (APP14).
    private static func jpeg(_ raw: UnsafeRawBufferPointer) -> Bytes? {
        guard raw.count > 4, raw[0] == 0xff, raw[1] == 0xd8 else { return nil }
        var kept: [UInt8] = [0xff, 0xd8]
        kept.reserveCapacity(raw.count)
        var place = 2
        while place + 1 < raw.count {
            guard raw[place] == 0xff else { return nil }
            let marker = raw[place + 1]
            if marker == 0xff {
                place += 1
                continue
            }
            if marker == 0xd9 { return Bytes(kept + [0xff, 0xd9]) }
            guard place + 3 < raw.count else { return nil }
            let length = Int(raw[place + 2]) << 8 | Int(raw[place + 3])
            var end = place + 2 + length
            guard length >= 2, end <= raw.count else { return nil }
            if marker == 0xda { end = endOfScan(raw, from: end) }
            if isPicture(marker, raw[(place + 4)..<(place + 2 + length)]) {
                kept += raw[place..<end]
            }
            place = end
        }
        return nil
    }

    /// Where the coded pixels of a scan end: at a marker that is no stuffed zero and no restart.
    private static func endOfScan(_ raw: UnsafeRawBufferPointer, from start: Int) -> Int {
        var place = start
        // Coded pixels are nearly all of a file: the C library looks at many bytes at once.
        while place + 1 < raw.count, let base = raw.baseAddress,
            let found = memchr(base + place, 0xff, raw.count - 1 - place)
        {
            place = found - UnsafeMutableRawPointer(mutating: base)
            if raw[place + 1] != 0, raw[place + 1] & 0xf8 != 0xd0 { return place }
            place += 1
        }
        return raw.count
    }

    private static func isPicture(_ marker: UInt8, _ body: Slice<UnsafeRawBufferPointer>) -> Bool {
        switch marker {
        case 0xe0, 0xee: true
        case 0xe2: body.starts(with: "ICC_PROFILE\0".utf8)
        case 0xe1...0xef, 0xfe: false
        default: true
        }
    }

    private static let pngChunks = Set(
        ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD"]
            .map { Array($0.utf8) })

    /// Chunks up to the end of the image (PNG, third edition, section 5).
    private static func png(_ raw: UnsafeRawBufferPointer) -> Bytes? {
        guard raw.count > 8 else { return nil }
        var kept = Array(raw[..<8])
        kept.reserveCapacity(raw.count)
        var place = 8
        while place + 12 <= raw.count {
            let end = place + 12 + number(raw[place..<(place + 4)].reversed())
            guard end <= raw.count else { return nil }
            let name = Array(raw[(place + 4)..<(place + 8)])
            if pngChunks.contains(name) { kept += raw[place..<end] }
            if name == Array("IEND".utf8) { return Bytes(kept) }
            place = end
        }
        return nil
    }

    /// Chunks of the container (WebP Container Specification), with the flags of what is gone
    /// cleared.
    private static func webp(_ raw: UnsafeRawBufferPointer) -> Bytes? {
        guard raw.count > 12 else { return nil }
        var kept = Array(raw[..<12])
        kept.reserveCapacity(raw.count)
        var place = 12
        let fileEnd = min(raw.count, 8 + number(raw[4..<8]))
        while place + 8 <= fileEnd {
            let size = number(raw[(place + 4)..<(place + 8)])
            let end = min(fileEnd, place + 8 + size + size % 2)
            guard place + 8 + size <= fileEnd else { return nil }
            let name = String(decoding: raw[place..<(place + 4)], as: UTF8.self)
            switch name {
            case "VP8X":
                var chunk = Array(raw[place..<end])
                guard chunk.count > 8 else { return nil }
                chunk[8] &= ~0x0c
                kept += chunk
            case "VP8 ", "VP8L", "ALPH", "ICCP": kept += raw[place..<end]
            default: break
            }
            place = end
        }
        let size = UInt32(kept.count - 8)
        withUnsafeBytes(of: size.littleEndian) { kept.replaceSubrange(4..<8, with: $0) }
        return Bytes(kept)
    }

    /// A number of 32 bits, lowest byte first.
    private static func number(_ bytes: some Sequence<UInt8>) -> Int {
        var (value, shift) = (0, 0)
        for byte in bytes {
            value |= Int(byte) << shift
            shift += 8
        }
        return value
    }
}
