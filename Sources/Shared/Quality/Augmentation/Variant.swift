package import Base
package import Images

/// One variant of a stored picture.
///
/// With a limit of its sides the picture is made small before it is changed, to what is left of it
/// in the end, and changes of place that stand first become one: the picture is sampled once
/// instead of once for each of them. Sizes in pixels, as of a blur, are then those of the small
/// picture, which is the one that a model sees.
package struct Variant: Sendable {
    package let image: RGBImage
    /// Of the stored picture.
    package let format: ImageFormat
    /// From places of `image` to places of the stored picture.
    package let map: PictureMap

    /// Where the picture has more than so many times the pixels that are needed, it is made smaller
    /// before it is sampled, since sampling does not smooth.
    private static let coarsenessMax = 1.2

    /// Makes the variant that some changes lead to.
    ///
    /// - Parameters:
    ///   - bytes: a JPEG, PNG, WebP or TIFF file
    ///   - changes: as `AugmentationPolicy.drawn` gives them, of a policy without refusals
    ///   - sideMax: most pixels of the longer side; nil for as many as are left. Pictures are never
    ///     enlarged.
    package init(
        of bytes: Bytes, _ changes: [AppliedTransform], sideMax: Int? = nil,
        limits: ImageLimits = ImageLimits()
    ) throws(ImageError) {
        let header = try ImageHeader(reading: bytes, limits: limits)
        let swaps = header.orientation.swapsSides
        var map = PictureMap(
            width: swaps ? header.height : header.width,
            height: swaps ? header.width : header.height)
        let source = map
        for change in changes { map.apply(change) }
        let scale = sideMax.map { min(1, Double($0) / map.longerSide) } ?? 1
        let enough = Int((source.longerSide * scale).rounded(.up))
        let decoded = try DecodedImage(
            decoding: bytes,
            DecodeOptions(limits: limits, sideEnough: sideMax == nil ? nil : enough)
        ).image
        let moves = changes.prefix { $0.isGeometry }
        var image = try Self.moved(decoded, moves, source, scale)
        for change in changes.dropFirst(moves.count) { image = try change.applied(to: image) }
        if let sideMax { image = try image.limited(to: sideMax) }
        map.scale(toWidth: image.width, height: image.height)
        (self.image, self.map, format) = (image, map, header.format)
    }

    /// The picture after its first changes, at the scale that is wanted.
    ///
    /// - Parameters:
    ///   - source: the stored picture's canvas, of which `picture` may have fewer pixels
    ///   - scale: pixels wanted for each pixel of the stored picture
    private static func moved(
        _ picture: RGBImage, _ moves: ArraySlice<AppliedTransform>, _ source: PictureMap,
        _ scale: Double
    ) throws(ImageError) -> RGBImage {
        var map = source
        for move in moves { map.apply(move) }
        let (width, height) = (pixels(map.width * scale), pixels(map.height * scale))
        if moves.allSatisfy(\.movesWholePixels) {
            var image = picture
            for move in moves { image = try move.applied(to: image) }
            guard image.width > width || image.height > height else { return image }
            return try image.resized(
                width: min(width, image.width), height: min(height, image.height))
        }
        map.scale(toWidth: width, height: height)
        var image = picture
        if Double(image.width) > coarsenessMax * source.width * scale {
            image = try image.resized(
                width: pixels(source.width * scale), height: pixels(source.height * scale))
        }
        let onImage = map.onSource(
            scaleX: Double(image.width) / source.width,
            scaleY: Double(image.height) / source.height)
        return image.projected(onImage, width: width, height: height, fillRGB: map.fillRGB)
    }

    private static func pixels(_ side: Double) -> Int { max(1, Int(side.rounded())) }
}

extension RGBImage {
    /// The picture with its longer side at most `side` pixels, never enlarged.
    package func limited(to side: Int) throws(ImageError) -> RGBImage {
        let longer = max(width, height)
        guard longer > side, side > 0 else { return self }
        return try resized(
            width: max(1, (width * side + longer / 2) / longer),
            height: max(1, (height * side + longer / 2) / longer))
    }
}
