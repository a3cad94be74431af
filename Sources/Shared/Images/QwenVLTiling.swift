/// Qwen2-VL and Qwen2.5-VL: one picture of any size, whole blocks of merged patches each way.
package struct QwenVLTiling: Sendable, Hashable {
    /// The side of a patch.
    package let patch: Int
    /// How many patches each way become one token.
    package let merge: Int
    package let pixels: ClosedRange<Int>

    private static let ratioMax = 200

    /// Throws unless some whole number of blocks lies within the limits.
    package init(patch: Int, merge: Int = 2, pixels: ClosedRange<Int>) throws(ImageError) {
        guard patch > 0, merge > 0, patch <= 1024, merge <= 64 else {
            throw .badSetting(name: "patch_size", value: "\(patch), merged by \(merge)")
        }
        guard pixels.lowerBound > 0, pixels.upperBound <= 1 << 28 else {
            throw .badSetting(name: "max_pixels", value: "\(pixels)")
        }
        (self.patch, self.merge, self.pixels) = (patch, merge, pixels)
    }

    /// What a picture is resized to: the nearest whole blocks, scaled to lie within the limits.
    package func resized(_ image: ImageSize) throws(ImageError) -> ImageSize {
        let image = try image.checked()
        let (longer, shorter) = (max(image.height, image.width), min(image.height, image.width))
        if longer > Self.ratioMax * shorter {
            throw .badAspect(width: image.width, height: image.height, ratioMax: Self.ratioMax)
        }
        let block = Double(patch * merge)
        let nearest = blocks(of: image) { ($0 / block).rounded(.toNearestOrEven) }
        let area = Double(image.area)
        // The order of operations is transformers': another may round to another block.
        if nearest.area > pixels.upperBound {
            let shrink = (area / Double(pixels.upperBound)).squareRoot()
            return blocks(of: image) { max(1, ($0 / shrink / block).rounded(.down)) }
        }
        guard nearest.area < pixels.lowerBound else { return nearest }
        let growth = (Double(pixels.lowerBound) / area).squareRoot()
        return blocks(of: image) { ($0 * growth / block).rounded(.up) }
    }

    private func blocks(of image: ImageSize, _ count: (Double) -> Double) -> ImageSize {
        ImageSize(
            height: Int(count(Double(image.height))) * patch * merge,
            width: Int(count(Double(image.width))) * patch * merge)
    }

    /// Rows and columns of patches (`image_grid_thw` without its 1).
    package func grid(_ image: ImageSize) throws(ImageError) -> ImageSize {
        let size = try resized(image)
        return ImageSize(height: size.height / patch, width: size.width / patch)
    }

    /// How many tokens a picture becomes.
    package func tokenCount(_ image: ImageSize) throws(ImageError) -> Int {
        try grid(image).area / (merge * merge)
    }
}
