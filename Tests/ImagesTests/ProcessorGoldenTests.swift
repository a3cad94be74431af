import Foundation
import Testing

@testable import Images
@testable import TensorFiles

/// The families' tiles, patches and token counts equal those of transformers and the authors' code.
struct ProcessorGoldenTests {
    /// Keeps 8-bit pixels as they are, so that stages before normalising can be compared exactly.
    private static func identity() throws -> PixelNormaliser {
        try PixelNormaliser(
            mean: [0, 0, 0], deviation: [1, 1, 1], factor: 1, .rescaledFirst)
    }

    @Test func modelsWereFound() {
        #expect(Golden.models.count >= 2)
    }

    @Test(arguments: Golden.models)
    func pixelsAreExact(model: GoldenModel) throws {
        let family = try GoldenFamily(model)
        for golden in try model.cases() where !golden.images.isEmpty {
            let images = try golden.images.map { try model.image($0) }
            let tensors = try #require(golden.tensors)
            try checkBytes(tensors, golden.name, family, images)
            try checkFloats(tensors, golden.name, family, images)
        }
    }

    private func backend(_ tensors: TensorFile) -> ResampleBackend {
        tensors.has("pixel_u8_torch_backend") ? .torchvision : .pillow
    }

    private func checkBytes(
        _ tensors: TensorFile, _ name: String, _ family: GoldenFamily, _ images: [RGBImage]
    ) throws {
        let backend = backend(tensors)
        let key = backend == .torchvision ? "pixel_u8_torch_backend" : "pixel_u8_pil_backend"
        let shape = try tensors.tensor(named: key).stored.shape
        let found = try images.map { image in
            let pixels = try family.pixels(of: image, backend, Self.identity())
            // A patch is stored once there; the model sees it twice.
            return isQwen(family) ? firstCopies(pixels, shape) : pixels
        }
        let expected = try tensors.values(key, as: UInt8.self).map(Float.init)
        let parts = split(expected, among: found, padded: shape.count == 5)
        #expect(parts == found, "\(name)")
    }

    private func checkFloats(
        _ tensors: TensorFile, _ name: String, _ family: GoldenFamily, _ images: [RGBImage]
    ) throws {
        guard tensors.has(family.pixelValues) else { return }
        let backend = backend(tensors)
        let found = try images.map { try family.pixels(of: $0, backend, family.normaliser) }
        let expected = try tensors.values(family.pixelValues, as: Float.self)
        let shape = try tensors.tensor(named: family.pixelValues).stored.shape
        let parts = split(expected, among: found, padded: shape.count == 5)
        for (part, pixels) in zip(parts, found) {
            let worst = zip(part, pixels).map { abs($0 - $1) }.max()
            #expect(part.count == pixels.count && worst ?? 1 <= 1e-6, "\(name)")
        }
    }

    /// What the golden tensor has for each picture. LLaVA fills pictures of few tiles up.
    private func split(_ values: [Float], among images: [[Float]], padded: Bool) -> [[Float]] {
        var place = 0
        return images.map { image in
            let part = values[min(place, values.count)..<min(place + image.count, values.count)]
            place += padded ? values.count / images.count : image.count
            return Array(part)
        }
    }

    @Test(arguments: Golden.models)
    func tokenCountsAreExact(model: GoldenModel) throws {
        let family = try GoldenFamily(model)
        for golden in try model.cases() where !golden.images.isEmpty {
            let counts = try golden.sizes.map(family.tokenCount)
            let total = counts.reduce(0, +)
            if let placeholder = family.placeholder, let text = golden.expanded {
                let pieces = text.components(separatedBy: placeholder)
                #expect(total == pieces.count - 1, "\(golden.name)")
            } else {
                let types = try #require(golden.tensors)
                    .values("in.token_type_ids", as: Int64.self)
                #expect(total == types.count { $0 == 1 }, "\(golden.name)")
            }
        }
    }

    private func isQwen(_ family: GoldenFamily) -> Bool {
        if case .patches = family.geometry { return true }
        return false
    }

    /// Of `[patches, 3, 2, patch, patch]` the first of each two.
    private func firstCopies(_ values: [Float], _ shape: [Int]) -> [Float] {
        let area = shape[2] * shape[3]
        return (0..<values.count / (2 * area)).flatMap {
            Array(values[2 * $0 * area..<(2 * $0 + 1) * area])
        }
    }
}
