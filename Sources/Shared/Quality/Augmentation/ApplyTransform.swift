package import Images

extension AppliedTransform {
    /// The image with the change made; values come from `AugmentationPolicy.drawn`, of a policy
    /// without refusals.
    package func applied(to image: RGBImage) throws(ImageError) -> RGBImage {
        switch self {
        case .rotate(let degrees, let fill):
            // Right angles move whole pixels, and the canvas turns with them.
            if let quarterTurns { return image.turned(quarters: quarterTurns) }
            return image.rotated(degrees: degrees, fillRGB: fill)
        case .flip(let horizontal, let vertical):
            let across = horizontal ? image.mirrored() : image
            return vertical ? across.flipped() : across
        case .crop(let x, let y, let width, let height):
            let columns = Self.span(x, width, image.width)
            let rows = Self.span(y, height, image.height)
            return image.cropped(
                x: columns.lowerBound, y: rows.lowerBound, width: columns.count,
                height: rows.count)
        case .brightness(let factor): return image.brightened(factor)
        case .contrast(let factor): return image.contrasted(factor)
        case .color(let saturation, let hue):
            return image.saturated(saturation).hueTurned(degrees: hue)
        case .resolution(let scale): return try image.coarsened(scale: scale)
        case .blur(let sigma): return try image.blurred(sigmaPixels: sigma)
        case .sensorNoise(let read, let shot, let seed):
            return image.noisy(readLevels: read, shotLevels: shot, seed: seed)
        case .jpeg(let quality):
            return try DecodedImage(decoding: image.jpeg(quality: quality)).image
        case .perspective(let corners): return image.slanted(corners: corners)
        }
    }

    /// Pixels of a share of a side: one at least, and within it.
    private static func span(_ start: Double, _ share: Double, _ side: Int) -> Range<Int> {
        let count = max(1, min(side, Int((share * Double(side)).rounded())))
        let first = max(0, min(side - count, Int((start * Double(side)).rounded())))
        return first..<first + count
    }
}

extension GreyImage {
    /// The brightness of a picture.
    package init(_ image: RGBImage) {
        // Its own initialiser has checked the sizes.
        self = GreyImage(width: image.width, height: image.height, rgb: image.pixels) ?? .dot
    }
}
