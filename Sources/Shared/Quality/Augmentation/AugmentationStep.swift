/// One kind of change to a training image, with the range its values are drawn from.
package enum Transform: Sendable, Hashable {
    /// Turn about the centre, to either side; only multiples of `stepDegrees` if it is not 0.
    case rotate(degreesMax: Double, stepDegrees: Int, fillRGB: UInt32?)
    case flip(horizontal: Bool, vertical: Bool)
    /// Cut a part out that keeps a share of the area, changing the aspect by at most a factor.
    case crop(areaShareMin: Double, aspectFactorMax: Double)
    case brightness(from: Double, to: Double)
    case contrast(from: Double, to: Double)
    case color(saturationFrom: Double, to: Double, hueDegreesMax: Double)
    /// Shrink and enlarge again.
    case resolution(scaleMin: Double)
    case blur(sigmaPixelsMax: Double)
    /// Levels of 255: a constant part, and one that grows with the root of the light.
    case sensorNoise(readLevelsMax: Double, shotLevelsMax: Double)
    case jpeg(qualityFrom: Int, to: Int)
    /// Corners move by at most a share of the side.
    case perspective(cornerShareMax: Double)

    /// Its name in messages and keys.
    package var name: String {
        switch self {
        case .rotate: "rotate"
        case .flip: "flip"
        case .crop: "crop"
        case .brightness: "brightness"
        case .contrast: "contrast"
        case .color: "color"
        case .resolution: "resolution"
        case .blur: "blur"
        case .sensorNoise: "sensor_noise"
        case .jpeg: "jpeg"
        case .perspective: "perspective"
        }
    }
}

/// A change with the share of variants that get it.
package struct AugmentationStep: Sendable, Hashable {
    package let probability: Double
    package let transform: Transform

    package init(_ probability: Double, _ transform: Transform) {
        (self.probability, self.transform) = (probability, transform)
    }
}

/// A change with the values that were drawn: what is done to one image.
package enum AppliedTransform: Sendable, Hashable {
    /// Counter-clockwise.
    case rotate(degrees: Double, fillRGB: UInt32?)
    case flip(horizontal: Bool, vertical: Bool)
    /// Shares of width and height.
    case crop(x: Double, y: Double, width: Double, height: Double)
    case brightness(factor: Double)
    case contrast(factor: Double)
    case color(saturation: Double, hueDegrees: Double)
    case resolution(scale: Double)
    case blur(sigmaPixels: Double)
    /// `seed` keys the noise of the pixels.
    case sensorNoise(readLevels: Double, shotLevels: Double, seed: UInt64)
    case jpeg(quality: Int)
    /// How far corners move inwards, as shares of width and height: x and y of the upper left,
    /// upper right, lower right and lower left one.
    case perspective(corners: [Double])
}

extension AppliedTransform: CustomStringConvertible {
    /// In words, such as "rotate 7.3 degrees".
    package var description: String {
        func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
        switch self {
        case .rotate(let degrees, _): return "rotate \(short(degrees)) degrees"
        case .flip(let horizontal, let vertical):
            return "flip\(horizontal ? " left-right" : "")\(vertical ? " top-bottom" : "")"
        case .crop(let x, let y, let width, let height):
            return "crop \(short(width)) x \(short(height)) at \(short(x)), \(short(y))"
        case .brightness(let factor): return "brightness \(short(factor))"
        case .contrast(let factor): return "contrast \(short(factor))"
        case .color(let saturation, let hue):
            return "color saturation \(short(saturation)), hue \(short(hue)) degrees"
        case .resolution(let scale): return "resolution \(short(scale))"
        case .blur(let sigma): return "blur \(short(sigma)) pixels"
        case .sensorNoise(let read, let shot, _):
            return "sensor noise \(short(read)) + \(short(shot)) levels"
        case .jpeg(let quality): return "jpeg quality \(quality)"
        case .perspective(let corners):
            return "perspective \(short(corners.max() ?? 0)) at most"
        }
    }
}
