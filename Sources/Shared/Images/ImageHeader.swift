package import Base

/// A format that is read, told apart by content and never by a file's name.
package enum ImageFormat: Sendable, Hashable, CaseIterable {
    case jpeg, png, webp, tiff

    /// As people write it.
    package var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .tiff: "TIFF"
        }
    }

    init?(of reader: ByteReader) {
        if reader.two(0) == 0xffd8, reader.byte(2) == 0xff {
            self = .jpeg
        } else if reader.four(0) == 0x8950_4e47, reader.four(4) == 0x0d0a_1a0a {
            self = .png
        } else if reader.matches("RIFF", at: 0), reader.matches("WEBP", at: 8) {
            self = .webp
        } else if [0x4949_2a00, 0x4d4d_002a, 0x4949_2b00, 0x4d4d_002b].contains(reader.four(0)) {
            self = .tiff
        } else {
            return nil
        }
    }
}

/// What a file says about its picture, read without decoding it.
package struct ImageHeader: Sendable, Hashable {
    package let format: ImageFormat
    /// As stored: `orientation` may swap them.
    package internal(set) var width: Int
    package internal(set) var height: Int
    /// How the stored picture must be turned to stand upright.
    package internal(set) var orientation = Orientation.upright
    /// Whether some pixels may be transparent.
    package internal(set) var hasAlpha = false
    /// Frames of an animation or pages of a TIFF file; the first one is what gets decoded.
    package internal(set) var frameCount = 1
    /// Where the first frame of a WebP animation lies: its own chunks, and its place.
    var frame: FrameRegion?

    /// Whether there is more than the one picture that gets decoded.
    package var hasMoreFrames: Bool { frameCount > 1 }

    /// Reads a header and checks it against limits.
    package init(reading bytes: Bytes, limits: ImageLimits = ImageLimits()) throws(ImageError) {
        try limits.check(byteCount: bytes.count)
        self = try bytes.withUnsafeBytes { (raw) throws(ImageError) in
            try Self.read(ByteReader(bytes: raw), framesMax: limits.framesMax)
        }
        try limits.check(self)
    }

    init(_ format: ImageFormat, width: Int, height: Int) {
        (self.format, self.width, self.height) = (format, width, height)
    }

    private static func read(_ reader: ByteReader, framesMax: Int) throws(ImageError) -> Self {
        switch ImageFormat(of: reader) {
        case .jpeg: return try JPEGHeader.read(reader)
        case .png: return try PNGHeader.read(reader)
        case .webp: return try WebPHeader.read(reader)
        case .tiff: return try TIFFHeader.read(reader, pagesMax: framesMax)
        case nil: throw .unknownFormat(firstBytes: Array(reader.bytes.prefix(8)))
        }
    }
}

/// The first frame of an animation: bytes of its own chunks, and its place on the canvas.
struct FrameRegion: Hashable {
    let bytes: Range<Int>
    let x, y, width, height: Int
}
