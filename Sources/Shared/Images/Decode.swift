package import Base
import CImages
import Foundation

/// What becomes of transparent pixels.
package enum AlphaRule: Sendable, Hashable, CaseIterable {
    /// The colours below are taken as they are: Pillow's `convert("RGB")`, transformers up to 4.
    case dropped
    /// White shows through: transformers from 5 on.
    case overWhite
}

/// How files are decoded. What a model was trained with, it must be served with.
package struct DecodeOptions: Sendable, Hashable {
    package var alpha: AlphaRule
    /// Whether pictures are turned upright as their metadata asks.
    package var turnsUpright: Bool
    package var limits: ImageLimits
    /// Pixels of the longer side that are enough; nil for all of them. A JPEG picture with twice,
    /// four or eight times as many is averaged to as few while it is decoded, in a fraction of the
    /// time; other formats take no notice.
    package var sideEnough: Int?

    package init(
        alpha: AlphaRule = .overWhite, turnsUpright: Bool = true,
        limits: ImageLimits = ImageLimits(), sideEnough: Int? = nil
    ) {
        self.sideEnough = sideEnough
        self.alpha = alpha
        self.turnsUpright = turnsUpright
        self.limits = limits
    }
}

/// A decoded file: its first picture.
package struct DecodedImage: Sendable {
    /// With the size that the file has, though a smaller picture may have been enough.
    package let header: ImageHeader
    package let image: RGBImage
    /// Whether the decoder met damage that it bridged by guessing, as every JPEG reader does.
    package let isDamaged: Bool

    /// Decodes a JPEG, PNG, WebP or TIFF file to what Pillow makes of it.
    package init(
        decoding bytes: Bytes, _ options: DecodeOptions = DecodeOptions()
    ) throws(ImageError) {
        header = try ImageHeader(reading: bytes, limits: options.limits)
        let shrink = Self.shrink(header, enough: options.sideEnough)
        let canvas = try Self.canvas(bytes, header, options.alpha, shrink: shrink)
        isDamaged = canvas.isDamaged
        let turn = options.turnsUpright ? header.orientation : .upright
        image = canvas.image.upright(from: turn)
    }

    /// How many times smaller each side may become: 1, 2, 4 or 8.
    private static func shrink(_ header: ImageHeader, enough: Int?) -> Int {
        guard header.format == .jpeg, let enough else { return 1 }
        let longer = max(header.width, header.height)
        return [8, 4, 2].first { (longer + $0 - 1) / $0 >= enough } ?? 1
    }

    private static func canvas(
        _ bytes: Bytes, _ header: ImageHeader, _ alpha: AlphaRule, shrink: Int
    ) throws(ImageError) -> (image: RGBImage, isDamaged: Bool) {
        guard let frame = header.frame else {
            return try bytes.withUnsafeBytes { (raw) throws(ImageError) in
                let call = CodecCall(
                    format: header.format, raw: raw,
                    width: (header.width + shrink - 1) / shrink,
                    height: (header.height + shrink - 1) / shrink, shrink: shrink)
                return try decode(call, hasAlpha: header.hasAlpha, alpha)
            }
        }
        guard frame.x + frame.width <= header.width, frame.y + frame.height <= header.height else {
            throw .broken(header.format, "a frame outside its canvas")
        }
        let first = try bytes.slice(frame.bytes).withUnsafeBytes { (raw) throws(ImageError) in
            let call = CodecCall(
                format: header.format, raw: raw, width: frame.width, height: frame.height,
                shrink: 1)
            return try decode(call, hasAlpha: header.hasAlpha, alpha)
        }
        // Around the first frame the canvas is transparent black.
        let value: UInt8 = header.hasAlpha && alpha == .overWhite ? 255 : 0
        let image = first.image.padded(
            width: header.width, height: header.height, x: frame.x, y: frame.y, value: value)
        return (image, first.isDamaged)
    }

    private static func decode(
        _ call: CodecCall, hasAlpha: Bool, _ alpha: AlphaRule
    ) throws(ImageError) -> (image: RGBImage, isDamaged: Bool) {
        var isDamaged = false
        let image = try RGBImage(call.width, call.height) { (target) throws(ImageError) in
            if hasAlpha {
                isDamaged = try call.decode(into: target, alpha: alpha)
            } else {
                isDamaged = try call.decode(into: target, channels: 3)
            }
        }
        return (image, isDamaged)
    }
}

/// One call of a C decoder.
private struct CodecCall {
    let format: ImageFormat
    let raw: UnsafeRawBufferPointer
    /// Size of what comes out.
    let width: Int
    let height: Int
    /// How many times smaller that is than what the file holds; above 1 for JPEG only.
    let shrink: Int

    /// Returns whether there was damage that the decoder bridged.
    func decode(
        into target: UnsafeMutableBufferPointer<UInt8>, channels: Int
    ) throws(ImageError) -> Bool {
        var picture = ci_picture(
            pixels: target.baseAddress, width: UInt32(width), height: UInt32(height),
            channels: UInt32(channels), shrink: UInt32(shrink), is_damaged: false)
        var message = ci_message()
        let status = call(&picture, &message)
        if status != CI_OK { throw error(status, message) }
        return picture.is_damaged
    }

    /// Decodes with alpha, then leaves it behind.
    func decode(
        into target: UnsafeMutableBufferPointer<UInt8>, alpha: AlphaRule
    ) throws(ImageError) -> Bool {
        let count = width * height * 4
        guard let base = malloc(count) else { throw .noMemory(bytesWanted: count) }
        defer { free(base) }
        let pixels = base.bindMemory(to: UInt8.self, capacity: count)
        let buffer = UnsafeMutableBufferPointer(start: pixels, count: count)
        let isDamaged = try decode(into: buffer, channels: 4)
        switch alpha {
        case .dropped: ci_drop_alpha(target.baseAddress, pixels, width * height)
        case .overWhite: ci_composite_over_white(target.baseAddress, pixels, width * height)
        }
        return isDamaged
    }

    private func call(_ picture: inout ci_picture, _ message: inout ci_message) -> ci_status {
        let input = ci_input(
            bytes: raw.baseAddress?.assumingMemoryBound(to: UInt8.self), count: raw.count)
        switch format {
        case .jpeg: return ci_decode_jpeg(input, &picture, &message)
        case .png: return ci_decode_png(input, &picture, &message)
        case .webp: return ci_decode_webp(input, &picture, &message)
        case .tiff: return ci_decode_tiff(input, &picture, tiffBlockBytesMax, &message)
        }
    }

    /// Tiles may reach over the edge, but not by much more than the picture itself.
    private var tiffBlockBytesMax: Int { max(64 << 20, width * height * 16) }

    private func error(_ status: ci_status, _ message: ci_message) -> ImageError {
        let text = text(of: message)
        return switch status {
        case CI_TRUNCATED: .truncated(format, byteCount: raw.count)
        case CI_UNSUPPORTED: .unsupported(format, text)
        case CI_NO_MEMORY: .noMemory(bytesWanted: width * height * 3)
        default: .broken(format, text)
        }
    }
}

/// The text of a C call, without bytes that are no text.
func text(of message: ci_message) -> String {
    withUnsafeBytes(of: message.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

/// The brightness of a JPEG file, smaller than the picture: enough to look alike by, at a fraction
/// of the cost. All of the file is read and checked, as for the whole picture.
package struct JPEGPreview: Sendable {
    package let width: Int
    package let height: Int
    /// 0 black to 255 white, `[height, width]`.
    package let pixels: [UInt8]
    /// Whether the decoder met damage that it bridged by guessing.
    package let isDamaged: Bool

    /// Shrinks by 8, 4, 2 or not at all, as far as both sides keep `sideMin` pixels; not turned.
    ///
    /// - Returns: nil for what is no JPEG, or one of four inks
    package init?(
        decoding bytes: Bytes, _ header: ImageHeader, sideMin: Int
    ) throws(ImageError) {
        guard header.format == .jpeg else { return nil }
        let side = min(header.width, header.height)
        let shrink = [8, 4, 2].first { side / $0 >= sideMin } ?? 1
        let (width, height) = (
            (header.width + shrink - 1) / shrink, (header.height + shrink - 1) / shrink
        )
        var picture = ci_picture(
            pixels: nil, width: UInt32(width), height: UInt32(height), channels: 1,
            shrink: UInt32(shrink), is_damaged: false)
        var message = ci_message()
        var status = CI_OK
        pixels = [UInt8](unsafeUninitializedCapacity: width * height) { target, filled in
            picture.pixels = target.baseAddress
            status = bytes.withUnsafeBytes { raw in
                let base = raw.assumingMemoryBound(to: UInt8.self).baseAddress
                return ci_preview_jpeg(
                    ci_input(bytes: base, count: raw.count), &picture, &message)
            }
            // A picture that ended early throws below, and nothing of it is read.
            if status == CI_OK { filled = width * height }
        }
        (self.width, self.height, isDamaged) = (width, height, picture.is_damaged)
        switch status {
        case CI_OK: break
        case CI_UNSUPPORTED: return nil
        case CI_TRUNCATED: throw .truncated(.jpeg, byteCount: bytes.count)
        case CI_NO_MEMORY: throw .noMemory(bytesWanted: width * height)
        default: throw .broken(.jpeg, text(of: message))
        }
    }
}
