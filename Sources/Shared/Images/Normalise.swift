import CImages

/// In which order 8-bit pixels become normalised floats; the ways differ in the last bit.
package enum NormaliseArithmetic: Sendable, Hashable, CaseIterable {
    /// (px * factor - mean) / std, as PIL processors of transformers and torchvision's ToTensor.
    case rescaledFirst
    /// (px - mean / factor) / (std / factor), as the fast processors of transformers.
    case folded
}

/// Turns 8-bit pixels into floats by a table: there are only 256 of them in each channel.
package struct PixelNormaliser: Sendable, Hashable {
    private let tables: [Float]

    /// Mean and deviation have a value for each of red, green and blue, on the scale of `factor`.
    package init(
        mean: [Double], deviation: [Double], factor: Double = 1.0 / 255,
        _ arithmetic: NormaliseArithmetic
    ) throws(ImageError) {
        guard mean.count == 3, deviation.count == 3, factor > 0 else {
            throw .badSetting(name: "image_mean", value: "\(mean.count) channels")
        }
        guard deviation.allSatisfy({ $0 > 0 && $0.isFinite }), mean.allSatisfy(\.isFinite) else {
            throw .badSetting(name: "image_std", value: "\(deviation)")
        }
        tables = zip(mean, deviation).flatMap { mean, deviation in
            Self.table(Float(mean), Float(deviation), factor, arithmetic)
        }
    }

    private static func table(
        _ mean: Float, _ deviation: Float, _ factor: Double, _ arithmetic: NormaliseArithmetic
    ) -> [Float] {
        let unfactored = Float(1 / factor)
        return (0..<256).map { pixel in
            switch arithmetic {
            case .rescaledFirst: (Float(Double(pixel) * factor) - mean) / deviation
            case .folded: (Float(pixel) - mean * unfactored) / (deviation * unfactored)
            }
        }
    }

    /// Floats `[3, height, width]`.
    package func planes(of image: RGBImage) -> [Float] { planes(of: [image]) }

    /// Floats of pictures of one size, one after another: `[count, 3, height, width]`.
    package func planes(of images: [RGBImage]) -> [Float] {
        let count = images.reduce(0) { $0 + $1.pixels.count }
        return [Float](unsafeUninitializedCapacity: count) { target, filled in
            var place = 0
            for image in images {
                let area = image.width * image.height
                let shape = ci_planes(
                    width: image.width, height: image.height, in_row: image.width * 3,
                    out_row: image.width, out_plane: area)
                look(up: image, at: 0, shape, into: target, at: place)
                place += 3 * area
            }
            filled = count
        }
    }

    /// Floats of patches in Qwen's order, `[patches, 3, 2, patch, patch]`: block after block of
    /// `merge` x `merge` patches; the two equal copies stand for two moments of a still picture.
    ///
    /// The picture must be whole blocks.
    package func patches(of image: RGBImage, patch: Int, merge: Int) -> [Float] {
        let block = patch * merge
        precondition(
            image.width % block == 0 && image.height % block == 0,
            "patches: \(image.width) x \(image.height) is not whole blocks of \(block)")
        let count = image.pixels.count * 2
        let shape = ci_planes(
            width: patch, height: patch, in_row: image.width * 3, out_row: patch,
            out_plane: 2 * patch * patch)
        return [Float](unsafeUninitializedCapacity: count) { target, filled in
            let starts = PatchOrder(
                rows: image.height / patch, columns: image.width / patch, merge: merge)
            for (index, start) in starts.places.enumerated() {
                let source = (start.row * image.width + start.column) * patch * 3
                let place = index * 6 * patch * patch
                look(up: image, at: source, shape, into: target, at: place)
                look(up: image, at: source, shape, into: target, at: place + patch * patch)
            }
            filled = count
        }
    }

    private func look(
        up image: RGBImage, at source: Int, _ shape: ci_planes,
        into target: UnsafeMutableBufferPointer<Float>, at place: Int
    ) {
        image.pixels.withUnsafeBufferPointer { pixels in
            guard let from = pixels.baseAddress, let to = target.baseAddress else { return }
            ci_look_up(to + place, from + source, shape, tables)
        }
    }
}

/// Patches of a grid, block after block.
package struct PatchOrder: Sendable {
    /// Patches each way in the grid, and in a block.
    package let rows, columns, merge: Int

    /// Rows and columns must be whole blocks.
    package init(rows: Int, columns: Int, merge: Int) {
        (self.rows, self.columns, self.merge) = (rows, columns, merge)
    }

    /// The row and column of each patch.
    package var places: [(row: Int, column: Int)] {
        (0..<rows * columns).map { index in
            let inBlock = index % (merge * merge)
            let block = index / (merge * merge)
            let (blockRow, blockColumn) = (
                block / (columns / merge), block % (columns / merge)
            )
            return (blockRow * merge + inBlock / merge, blockColumn * merge + inBlock % merge)
        }
    }
}
