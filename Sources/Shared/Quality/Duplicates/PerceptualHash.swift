import Foundation

/// 64 bits that are nearly the same for pictures that look the same.
package enum PerceptualHash {
    /// Signs of the low frequencies of a picture (pHash): bit 63 is the first of 8 rows of 8
    /// coefficients of the cosine transform of a thumbnail of 32 × 32, and is set where the
    /// coefficient lies above the median of the 64. Steady under changes of size, light,
    /// compression and noise; mirrored or turned pictures are other pictures.
    package static func frequencies(_ image: GreyImage) -> UInt64 {
        let values = lowFrequencies(image.averaged(width: 32, height: 32))
        let sorted = values.sorted()
        let median = (sorted[31] + sorted[32]) / 2
        return bits(values.map { $0 > median })
    }

    /// Signs of the horizontal differences of a thumbnail of 9 × 8 (dHash): set where it grows
    /// lighter to the right. Cheaper, and less steady under noise.
    package static func differences(_ image: GreyImage) -> UInt64 {
        let pixels = image.averaged(width: 9, height: 8).pixels
        let left = (0..<64).map { $0 / 8 * 9 + $0 % 8 }
        return bits(left.map { pixels[$0 + 1] > pixels[$0] })
    }

    /// Whether a picture is so even that its hash says nothing of it: the low frequencies except
    /// the mean hold less than one grey level in the root of the mean square. Such pictures are
    /// compared by their bytes alone.
    package static func isFlat(_ image: GreyImage) -> Bool {
        let values = lowFrequencies(image.averaged(width: 32, height: 32)).dropFirst()
        // By Parseval the mean square of the picture is Σ X² / (2 · 32 · 32)²; those of the
        // first row and column count half, which is left out here.
        let power = values.reduce(0) { $0 + $1 * $1 }
        return power.squareRoot() / (2 * 32 * 32) < 1
    }

    /// Bits in which two hashes differ.
    package static func distance(_ a: UInt64, _ b: UInt64) -> Int { (a ^ b).nonzeroBitCount }

    private static func bits(_ truths: [Bool]) -> UInt64 {
        truths.reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
    }

    /// cos(pi · k · (2n + 1) / 64) for k in 0..<8 and n in 0..<32.
    private static let cosines: [Double] = (0..<8 * 32).map { index in
        let frequency = Double(index / 32)
        let place = Double(2 * (index % 32) + 1)
        return cos(Double.pi * frequency * place / 64)
    }

    /// The first 8 × 8 coefficients of the type II transform, 2 Σ x cos, of both axes: rows are
    /// vertical frequencies.
    private static func lowFrequencies(_ thumbnail: GreyImage) -> [Double] {
        var half = [Double](repeating: 0, count: 8 * 32)
        for k in 0..<8 {
            for row in 0..<32 {
                let cosine = cosines[k * 32 + row]
                for column in 0..<32 {
                    half[k * 32 + column] += cosine * Double(thumbnail.pixels[row * 32 + column])
                }
            }
        }
        return (0..<64).map { index in
            let (vertical, horizontal) = (index / 8 * 32, index % 8 * 32)
            var sum = 0.0
            for column in 0..<32 { sum += half[vertical + column] * cosines[horizontal + column] }
            return 4 * sum
        }
    }
}
