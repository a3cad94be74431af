import Base
import Digests

/// Encoded images of earlier requests, so that a digest can stand for one. Bounded: the image that
/// was not used for the longest time goes first.
final class ImageStore: Sendable {
    private struct Shelf {
        var images: [Digest256: (bytes: Bytes, use: Int)] = [:]
        var byteCount = 0
        var uses = 0
    }

    private let bytesMax: Int
    private let shelf = Lock(Shelf())

    /// - Parameter bytesMax: of all images together
    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// The bytes with a digest; nil if they are not kept.
    subscript(digest: Digest256) -> Bytes? {
        shelf.with { shelf in
            shelf.uses += 1
            shelf.images[digest]?.use = shelf.uses
            return shelf.images[digest]?.bytes
        }
    }

    /// Keeps an image, as far as there is room.
    func keep(_ bytes: Bytes, _ digest: Digest256) {
        guard bytes.count <= bytesMax, self[digest] == nil else { return }
        // A copy: the bytes of a request share memory with its whole message.
        let own = bytes.withUnsafeBytes { Bytes(copying: $0) }
        shelf.with { shelf in
            guard shelf.images[digest] == nil else { return }
            shelf.uses += 1
            shelf.images[digest] = (own, shelf.uses)
            shelf.byteCount += own.count
            while shelf.byteCount > bytesMax,
                let oldest = shelf.images.min(by: { $0.value.use < $1.value.use })
            {
                shelf.images[oldest.key] = nil
                shelf.byteCount -= oldest.value.bytes.count
            }
        }
    }
}
