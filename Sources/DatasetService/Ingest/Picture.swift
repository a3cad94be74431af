import Base
import Digests
import Images
import Messages
import Quality
import Resources

/// An image that may be stored: upright, without metadata, decoded once to see that it is whole.
struct Picture: Sendable {
    /// Of the bytes as stored.
    let digest: Digest256
    /// Of the bytes as uploaded.
    let upload: Digest256
    let width, height: Int
    let media: String
    let size: Int
    let hash: UInt64
    /// What to store; nil if it is stored already.
    var bytes: Bytes?
    /// The upload, where originals are kept.
    var original: Bytes?

    /// Takes an image in, or says why not.
    init(
        _ bytes: Bytes, upload: Digest256, limits: Messages.ImageLimits
    ) throws(Rejection) {
        let header: ImageHeader
        let seen: SeenImage
        do throws(ImageError) {
            header = try ImageHeader(reading: bytes, limits: limits.decoding)
        } catch {
            throw Rejection(error)
        }
        try Self.checkSides(header.width, header.height, limits)
        do throws(ImageError) {
            seen = try SeenImage(bytes, header, limits.decoding)
        } catch {
            throw Rejection(error)
        }
        guard !seen.isDamaged else {
            throw Rejection(
                .imageUnreadable, seen: "\(bytes.count) bytes of \(header.format.name)",
                allowed: "whole images", "the image is damaged or ends too early; export it again")
        }
        self.upload = upload
        let stored = seen.changed ?? bytes
        digest = seen.changed?.sha256 ?? upload
        (width, height, media, hash) = (seen.width, seen.height, seen.media, seen.hash)
        size = stored.count
        self.bytes = stored
        original = limits.keepOriginals ? bytes : nil
    }

    /// An image that the catalogue knows.
    init(
        known digest: Digest256, upload: Digest256, width: Int, height: Int, media: String,
        size: Int, hash: UInt64
    ) {
        (self.digest, self.upload) = (digest, upload)
        (self.width, self.height, self.media) = (width, height, media)
        (self.size, self.hash) = (size, hash)
    }

    /// Refuses sides that are too short.
    static func checkSides(
        _ width: Int, _ height: Int, _ limits: Messages.ImageLimits
    ) throws(Rejection) {
        guard min(width, height) >= limits.sideMin else {
            throw Rejection(
                .imageTooSmall, seen: "\(width) x \(height) pixels",
                allowed: "\(limits.sideMin) pixels or more a side",
                "the image is too small to show anything")
        }
    }
}

/// What looking at an image gives.
private struct SeenImage {
    /// Upright and without metadata; nil if it came so.
    let changed: Bytes?
    let media: String
    let width, height: Int
    let hash: UInt64
    let isDamaged: Bool

    /// Quality at which a turned JPEG is encoded anew.
    private static let jpegQuality = 95
    /// Pixels of the shorter side from which a hash of 9 x 8 areas is taken.
    private static let previewSideMin = 36

    init(_ bytes: Bytes, _ header: ImageHeader, _ limits: Images.ImageLimits) throws(ImageError) {
        let isUpright = header.orientation == .upright
        // What is decoded is what will be stored: damage behind what is cut off would hide else.
        let stripped = ImageMetadata.stripped(bytes, header.format)
        let coded = stripped ?? bytes
        // Nothing but leaving out changes the length of these two.
        let isSame = header.format != .webp && stripped?.count == bytes.count
        if let stripped, isUpright,
            let preview = try JPEGPreview(decoding: coded, header, sideMin: Self.previewSideMin)
        {
            changed = isSame ? nil : stripped
            media = "image/jpeg"
            (width, height, isDamaged) = (header.width, header.height, preview.isDamaged)
            hash = Self.hash(
                GreyImage(width: preview.width, height: preview.height, pixels: preview.pixels))
            return
        }
        let decoded = try DecodedImage(
            decoding: coded, DecodeOptions(turnsUpright: false, limits: limits))
        let image = decoded.image.upright(from: header.orientation)
        (width, height, isDamaged) = (image.width, image.height, decoded.isDamaged)
        hash = Self.hash(
            GreyImage(width: image.width, height: image.height, rgb: image.pixels))
        if isDamaged || (isUpright && stripped != nil) {
            changed = isSame ? nil : stripped
            media = "image/\(header.format.name.lowercased())"
        } else if header.format == .jpeg {
            // A JPEG has lost detail already; all else is kept without loss.
            changed = try image.jpeg(quality: Self.jpegQuality)
            media = "image/jpeg"
        } else {
            changed = try image.png()
            media = "image/png"
        }
    }

    private static func hash(_ image: GreyImage?) -> UInt64 {
        image.map { PerceptualHash.differences($0) } ?? 0
    }
}

/// Why a row, or an image of it, is not taken in.
struct Rejection: Error, Sendable {
    var problem: Problem

    init(
        _ reason: FailureReason, field: String = "", seen: String, allowed: String,
        _ message: String
    ) {
        problem = Problem()
        problem.reason = reason
        problem.field = field
        problem.seen = seen.cleaned.shortened
        problem.allowed = allowed
        let place = field.isEmpty ? "" : "\(field): "
        problem.message = "\(place)\(message.cleaned); seen: \(problem.seen); allowed: \(allowed)"
    }

    init(_ error: ImageError) {
        let reason: FailureReason =
            switch error {
            case .tooManyBytes, .tooManyPixels, .sideTooLong, .tooManyFrames: .imageTooLarge
            case .badSize, .badAspect: .imageTooSmall
            case .noMemory: .memoryExceeded
            default: .imageUnreadable
            }
        self.init(
            reason, seen: error.message, allowed: "JPEG, PNG, WebP or TIFF with one picture",
            "the image cannot be taken")
    }

    /// The same of an image at this place.
    func at(_ field: String) -> Rejection {
        var copy = self
        copy.problem.field = field
        copy.problem.message = "\(field): \(problem.message)"
        return copy
    }
}

extension String {
    /// Without NUL, which no message may hold.
    fileprivate var cleaned: String { replacing("\0", with: "\u{fffd}") }
}
