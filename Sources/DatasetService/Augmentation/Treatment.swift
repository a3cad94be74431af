import Base
import Images
import Messages
import Quality

/// What is done to images on their way out: variants, and a limit of their sides.
struct Treatment: Sendable {
    /// Most pixels of the longer side; 0 for as many as there are.
    let side: Int
    /// nil for originals.
    let policy: Quality.AugmentationPolicy?
    let seed: UInt64

    /// Quality at which JPEG images are encoded anew.
    private static let jpegQuality = 95

    /// Whether anything is done at all.
    var isNeeded: Bool { side > 0 || policy != nil }

    /// The changes that all images of a row get in an epoch: they show one thing, and stay in
    /// their relation to one another.
    func changes(_ rowID: String, epoch: UInt32) -> [AppliedTransform] {
        policy?.drawn(seed: seed, epoch: Int(epoch), example: SplitPlan.hash(rowID)) ?? []
    }

    /// The same in words.
    func steps(of rowID: String, epoch: UInt32) -> [String] {
        changes(rowID, epoch: epoch).map(\.description)
    }

    /// One image as it is sent: JPEG of quality 95, or PNG where the source has no loss. JPEG and
    /// PNG images that are neither changed nor too large are sent as they are stored; so are all
    /// others where no side is asked for.
    func treated(_ bytes: Bytes, _ changes: [AppliedTransform]) throws -> TreatedImage {
        guard !changes.isEmpty else { return try resized(bytes) }
        let variant = try Variant(
            of: bytes, changes, sideMax: side == 0 ? nil : side, limits: PictureReader.limits)
        let image = variant.image
        // Noise does not shrink: packing it as PNG would take longer than all else.
        let encoded =
            variant.format == .jpeg
            ? try image.jpeg(quality: Self.jpegQuality) : try image.png(level: 0)
        return TreatedImage(
            bytes: encoded, map: variant.map, steps: changes.map(\.description))
    }

    private func resized(_ bytes: Bytes) throws -> TreatedImage {
        let header = try ImageHeader(reading: bytes, limits: PictureReader.limits)
        var map = PictureMap(width: header.width, height: header.height)
        let fits = side == 0 || max(header.width, header.height) <= side
        if fits, side == 0 || [.jpeg, .png].contains(header.format) {
            return TreatedImage(bytes: bytes, map: map, steps: [])
        }
        let (image, format) = try PictureReader.shrunk(bytes, side: side)
        map.scale(toWidth: image.width, height: image.height)
        let encoded =
            format == .jpeg
            ? try image.jpeg(quality: Self.jpegQuality) : try image.png(level: 1)
        return TreatedImage(bytes: encoded, map: map, steps: [])
    }
}

/// An image as it is sent.
struct TreatedImage: Sendable {
    let bytes: Bytes
    /// From its places to those of the stored image.
    let map: PictureMap
    let steps: [String]
}
