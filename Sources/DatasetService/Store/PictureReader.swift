import Base
import Digests
import Images
import Quality
import Storage

/// Reads stored images, and makes smaller ones, on a thread of its own.
actor PictureReader {
    private let executor = ThreadExecutor(named: "pictures")
    private let blobs: BlobStore

    /// What stored images may cost: no more than those that are taken in.
    static let limits = ImageLimits(
        pixelsMax: Limits.imageAreaMax, sideMax: Limits.imageSideMax, framesMax: 1)

    init(_ blobs: BlobStore) { self.blobs = blobs }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Whether an image is there.
    func contains(_ digest: Digest256) -> Bool { blobs.contains(digest) }

    /// The bytes of images, by their digests in hexadecimal.
    ///
    /// - Parameter side: longest side of a JPEG to send instead; 0 for the bytes as stored
    func contents(_ digests: [String], side: Int) throws -> [Bytes] {
        try digests.map { hex in
            guard let digest = Digest256(hex: hex) else {
                throw StorageError.corrupt(what: "the name of an image")
            }
            let bytes = try blobs.read(digest)
            return side == 0 ? bytes : try Self.thumbnail(bytes, side: side)
        }
    }

    /// A JPEG whose longest side is at most `side` pixels.
    static func thumbnail(_ bytes: Bytes, side: Int) throws -> Bytes {
        try shrunk(bytes, side: side).image.jpeg(quality: 85)
    }

    /// The image with its longest side at most `side` pixels, never enlarged.
    static func shrunk(
        _ bytes: Bytes, side: Int
    ) throws -> (image: RGBImage, format: ImageFormat) {
        let decoded = try DecodedImage(decoding: bytes, DecodeOptions(limits: limits))
        return (try decoded.image.limited(to: side), decoded.header.format)
    }
}
