import Base
import Digests
import Images
import Storage

/// Reads stored images, and makes smaller ones, on a thread of its own.
actor PictureReader {
    private let executor = ThreadExecutor(named: "pictures")
    private let blobs: BlobStore

    init(_ blobs: BlobStore) { self.blobs = blobs }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

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
        let limits = ImageLimits(
            pixelsMax: Limits.imageAreaMax, sideMax: Limits.imageSideMax, framesMax: 1)
        let decoded = try DecodedImage(decoding: bytes, DecodeOptions(limits: limits))
        let image = decoded.image
        let longest = max(image.width, image.height)
        guard side > 0, longest > side else { return (image, decoded.header.format) }
        let width = max(1, (image.width * side + longest / 2) / longest)
        let height = max(1, (image.height * side + longest / 2) / longest)
        return (
            try image.resized(width: width, height: height),
            decoded.header.format
        )
    }
}
