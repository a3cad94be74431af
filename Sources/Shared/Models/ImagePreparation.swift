package import Images

/// Turns pictures into what a family's model sees of them.
package protocol ImagePreparation: Sendable {
    /// - Parameter image: upright, of any size
    func prepared(_ image: RGBImage) throws(ImageError) -> PreparedImage

    /// How many tokens a picture of a size becomes.
    func tokenCount(_ size: ImageSize) throws(ImageError) -> Int
}

/// How pixels are resized and normalised, as a checkpoint's settings say.
package struct PixelSettings: Sendable {
    package let filter: ResampleFilter
    package let normaliser: PixelNormaliser

    /// - Parameters:
    ///   - settings: of the image processor; nil where the folder has none
    ///   - standard: mean and deviation of each channel where the settings do not say
    ///   - arithmetic: whose last bit is repeated
    package init(
        _ settings: ConfigReader?, standard: (mean: [Double], deviation: [Double]),
        _ arithmetic: NormaliseArithmetic
    ) throws(ModelError) {
        let factor = try settings?.number("rescale_factor", or: 1.0 / 255) ?? 1.0 / 255
        let resample = try settings?.integer("resample", or: 3) ?? 3
        // Pillow's numbers of its filters.
        let filters: [Int: ResampleFilter] = [1: .lanczos, 2: .bilinear, 3: .bicubic]
        guard let filter = filters[resample] else {
            throw .badConfig(
                field: "resample", seen: "\(resample)",
                allowed: "1 (Lanczos), 2 (bilinear) or 3 (bicubic)")
        }
        self.filter = filter
        let mean = try settings?.numbers("image_mean") ?? standard.mean
        let deviation = try settings?.numbers("image_std") ?? standard.deviation
        do {
            normaliser = try PixelNormaliser(
                mean: mean, deviation: deviation, factor: factor, arithmetic)
        } catch {
            throw .preprocessing(error)
        }
    }

    /// Mean and deviation of CLIP's training pictures.
    package static let clip = (
        mean: [0.48145466, 0.4578275, 0.40821073],
        deviation: [0.26862954, 0.26130258, 0.27577711]
    )
}
