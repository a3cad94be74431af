import Base
import Digests
import Images
import Messages
import Quality

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

    /// Quality at which a turned JPEG is encoded anew.
    private static let jpegQuality = 95

    /// Takes an image in, or says why not.
    init(
        _ bytes: Bytes, upload: Digest256, limits: Messages.ImageLimits
    ) throws(Rejection) {
        let decoded = try Self.decoded(bytes, limits)
        guard !decoded.isDamaged else {
            throw Rejection(
                .imageUnreadable, seen: "\(bytes.count) bytes of \(decoded.header.format.name)",
                allowed: "whole images", "the image is damaged or ends too early; export it again")
        }
        let cleaned = try Self.cleaned(bytes, decoded)
        self.upload = upload
        digest = cleaned.bytes.withUnsafeBytes { SHA256.digest($0) }
        (width, height) = (decoded.image.width, decoded.image.height)
        media = cleaned.media
        size = cleaned.bytes.count
        hash = Self.hash(decoded.image)
        self.bytes = cleaned.bytes
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

    private static func decoded(
        _ bytes: Bytes, _ limits: Messages.ImageLimits
    ) throws(Rejection) -> DecodedImage {
        let decoded: DecodedImage
        do throws(ImageError) {
            decoded = try DecodedImage(
                decoding: bytes, DecodeOptions(limits: limits.decoding))
        } catch {
            throw Rejection(error)
        }
        try checkSides(decoded.image.width, decoded.image.height, limits)
        return decoded
    }

    private static func cleaned(
        _ bytes: Bytes, _ decoded: DecodedImage
    ) throws(Rejection) -> (bytes: Bytes, media: String) {
        let format = decoded.header.format
        if decoded.header.orientation == .upright,
            let stripped = ImageMetadata.stripped(bytes, format)
        {
            return (stripped, "image/\(format.name.lowercased())")
        }
        do throws(ImageError) {
            // A JPEG has lost detail already; all else is kept without loss.
            if format == .jpeg {
                return (try decoded.image.jpeg(quality: jpegQuality), "image/jpeg")
            }
            return (try decoded.image.png(), "image/png")
        } catch {
            throw Rejection(error)
        }
    }

    private static func hash(_ image: RGBImage) -> UInt64 {
        let grey = GreyImage(width: image.width, height: image.height, rgb: image.pixels)
        return grey.map { PerceptualHash.differences($0) } ?? 0
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
        problem.message = "\(place)\(message); seen: \(problem.seen); allowed: \(allowed)"
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
