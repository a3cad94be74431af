import CImages
import Foundation

extension RGBImage {
    /// All values times a factor, as Pillow's `ImageEnhance.Brightness`.
    package func brightened(_ factor: Double) -> RGBImage { blended(from: 0, factor) }

    /// Distances from the mean grey times a factor, as Pillow's `ImageEnhance.Contrast`.
    package func contrasted(_ factor: Double) -> RGBImage {
        blended(from: (ci_mean_luma(pixels, width * height) + 0.5).rounded(.down), factor)
    }

    /// Distances from each pixel's grey times a factor, as Pillow's `ImageEnhance.Color`.
    package func saturated(_ factor: Double) -> RGBImage {
        RGBImage(width, height) { target in
            ci_blend_grey(target.baseAddress, pixels, width * height, factor)
        }
    }

    /// Colours turned about the axis of greys, which keep theirs.
    package func hueTurned(degrees: Double) -> RGBImage {
        let (cosine, sine) = (cos(degrees * .pi / 180), sin(degrees * .pi / 180))
        // Rodrigues' rotation about (1, 1, 1) / √3.
        let (same, next) = ((1 - cosine) / 3, sine / 3.0.squareRoot())
        let mix = [
            cosine + same, same - next, same + next, same + next, cosine + same, same - next,
            same - next, same + next, cosine + same,
        ]
        return RGBImage(width, height) { target in
            ci_mix_channels(target.baseAddress, pixels, width * height, mix)
        }
    }

    /// Noise of a sensor: one part is constant, one grows with the root of the light.
    ///
    /// - Parameters:
    ///   - readLevels: deviation of the constant part, in levels of 255
    ///   - shotLevels: deviation of the other part where the light is full
    ///   - seed: the same seed gives the same noise
    package func noisy(readLevels: Double, shotLevels: Double, seed: UInt64) -> RGBImage {
        RGBImage(width, height) { target in
            ci_add_noise(
                target.baseAddress, pixels, width * height, readLevels, shotLevels, seed)
        }
    }

    private func blended(from level: Double, _ factor: Double) -> RGBImage {
        RGBImage(width, height) { target in
            ci_blend_level(target.baseAddress, pixels, width * height, level, factor)
        }
    }
}
