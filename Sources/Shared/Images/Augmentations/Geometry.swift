import CImages

extension RGBImage {
    /// Turned counter-clockwise about the centre, on a canvas of the same size, as Pillow's
    /// `rotate` with bilinear sampling does it.
    ///
    /// - Parameter fillRGB: colour of the corners as 0xRRGGBB; nil repeats the edge
    package func rotated(degrees: Double, fillRGB: UInt32? = nil) -> RGBImage {
        precondition(degrees.isFinite, "rotated: \(degrees) degrees")
        let turn = Projection.rotation(
            degrees: degrees, width: Double(width), height: Double(height))
        return projected(turn, width: width, height: height, fillRGB: fillRGB)
    }

    /// Seen at a slant: the corners of the new picture show the places that lie inwards of the
    /// old ones by `corners`.
    ///
    /// - Parameter corners: shares of width and height below one half, x and y of the upper left,
    ///   upper right, lower right and lower left corner
    package func slanted(corners: [Double]) -> RGBImage {
        let slant = Projection.slant(
            corners: corners, width: Double(width), height: Double(height))
        return projected(slant, width: width, height: height, fillRGB: nil)
    }

    /// Each pixel of a new canvas taken from where a projection leads it, between four pixels, as
    /// Pillow's `Transform.PERSPECTIVE` with bilinear sampling does it. Not antialiased: one step
    /// on the canvas should be about one in the picture.
    package func projected(
        _ map: Projection, width newWidth: Int, height newHeight: Int, fillRGB: UInt32?
    ) -> RGBImage {
        precondition(newWidth > 0 && newHeight > 0, "projected: to \(newWidth) x \(newHeight)")
        let fill = fillRGB.map { [UInt8($0 >> 16 & 255), UInt8($0 >> 8 & 255), UInt8($0 & 255)] }
        return RGBImage(newWidth, newHeight) { target in
            pixels.withUnsafeBufferPointer { source in
                let picture = ci_source(
                    pixels: source.baseAddress, width: self.width, height: self.height)
                ci_project(
                    target.baseAddress, newWidth, newHeight, picture, map.matrix, fill)
            }
        }
    }
}
