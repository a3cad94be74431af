import CImages
import Foundation

extension RGBImage {
    /// Blurred by a Gaussian, as Pillow's `GaussianBlur`: three boxes of fractional width
    /// (Gwosdek, Grewenig, Bruhn and Weickert, Theoretical Foundations of Gaussian Convolution by
    /// Extended Box Filtering, 2011).
    package func blurred(sigmaPixels: Double) throws(ImageError) -> RGBImage {
        precondition((0...1_000).contains(sigmaPixels), "blurred: \(sigmaPixels) pixels")
        guard sigmaPixels > 0 else { return self }
        let variance = sigmaPixels * sigmaPixels / 3
        let whole = (((12 * variance + 1).squareRoot() - 1) / 2).rounded(.down)
        let share =
            (2 * whole + 1) * (whole * (whole + 1) - 3 * variance)
            / (6 * (variance - (whole + 1) * (whole + 1)))
        return try RGBImage(width, height) { (target) throws(ImageError) in
            _ = target.update(fromContentsOf: pixels)
            guard
                ci_box_blur(
                    target.baseAddress, width, height, ci_box(radius: whole + share, passes: 3))
            else {
                throw .noMemory(bytesWanted: pixels.count)
            }
        }
    }

    /// Made smaller and large again, as a worse camera sees it.
    ///
    /// - Parameter scale: of each side, above 0 to 1
    package func coarsened(scale: Double) throws(ImageError) -> RGBImage {
        precondition(scale > 0 && scale <= 1, "coarsened: scale \(scale)")
        let small = try resized(
            width: max(1, Int((Double(width) * scale).rounded())),
            height: max(1, Int((Double(height) * scale).rounded())), .bilinear)
        return try small.resized(width: width, height: height, .bilinear)
    }
}
