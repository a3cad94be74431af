import Foundation

/// How new pixels are made from old ones; the numbers are Pillow's, which model files contain.
package enum ResampleFilter: Int, Sendable, Hashable, CaseIterable {
    case nearest = 0
    case lanczos, bilinear, bicubic, box, hamming

    /// How far a filter reaches to each side, in pixels of the coarser of the two pictures.
    var reach: Double {
        switch self {
        case .nearest, .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The weight at a distance, computed in Pillow's order of operations.
    func weight(at distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .nearest, .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
        case .bilinear: return x < 1 ? 1 - x : 0
        case .hamming: return x < 1 ? Self.hamming(x) : 0
        case .bicubic: return x < 2 ? Self.bicubic(x) : 0
        case .lanczos:
            let isInside = distance >= -3 && distance < 3
            return isInside ? Self.sinc(distance) * Self.sinc(distance / 3) : 0
        }
    }

    private static func bicubic(_ x: Double) -> Double {
        let a = -0.5
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return (((x - 5) * x + 8) * x - 4) * a
    }

    private static func hamming(_ x: Double) -> Double {
        if x == 0 { return 1 }
        let angle = x * Double.pi
        // Pillow has these two numbers in single precision.
        return sin(angle) / angle * (Double(Float(0.54)) + Double(Float(0.46)) * cos(angle))
    }

    private static func sinc(_ x: Double) -> Double {
        if x == 0 { return 1 }
        let angle = x * Double.pi
        return sin(angle) / angle
    }
}

/// Whose arithmetic a resize repeats. The two differ by 1 to 3 of 255 in about 1 % of the pixels.
package enum ResampleBackend: Sendable, Hashable, CaseIterable {
    /// Weights of 22 bits; since version 13 the height goes first where that saves work.
    case pillow
    /// Weights of 15 bits and a sign; width, then height. What transformers' fast processors use.
    case torchvision
}
