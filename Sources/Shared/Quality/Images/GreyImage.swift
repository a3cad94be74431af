/// A picture of one channel.
package struct GreyImage: Sendable {
    package let width: Int
    package let height: Int
    /// Rows from top to bottom, `[height × width]`, 0 black to 255 white.
    package let pixels: [UInt8]

    /// Nil unless there is a pixel, and as many as width times height.
    package init?(width: Int, height: Int, pixels: [UInt8]) {
        guard width > 0, height > 0, pixels.count / width == height, pixels.count % width == 0
        else { return nil }
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    /// The brightness of colours, as Pillow's mode "L" has it (ITU-R 601-2).
    ///
    /// - Parameter rgb: `[height × width × 3]`; nil if there are not as many
    package init?(width: Int, height: Int, rgb: [UInt8]) {
        guard width > 0, height > 0, rgb.count % 3 == 0, rgb.count / 3 / width == height,
            rgb.count / 3 % width == 0
        else { return nil }
        (self.width, self.height) = (width, height)
        pixels = [UInt8](unsafeUninitializedCapacity: width * height) { target, filled in
            rgb.withUnsafeBufferPointer { rgb in
                // There are three bytes for each pixel, as was checked above.
                for pixel in 0..<width * height {
                    let red = UInt32(rgb[3 * pixel]) * 19_595
                    let green = UInt32(rgb[3 * pixel + 1]) * 38_470
                    let blue = UInt32(rgb[3 * pixel + 2]) * 7_471
                    target[pixel] = UInt8(truncatingIfNeeded: (red + green + blue + 0x8000) >> 16)
                }
            }
            filled = width * height
        }
    }

    /// One black pixel.
    static let dot = GreyImage(1, 1, [0])

    private init(_ width: Int, _ height: Int, _ pixels: [UInt8]) {
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    /// The picture in another size; each new pixel is the mean of the area that it covers.
    ///
    /// Unlike the filters of models this one needs no table and does not overshoot, which is
    /// what measurements want.
    package func averaged(width newWidth: Int, height newHeight: Int) -> GreyImage {
        if (newWidth, newHeight) == (width, height) { return self }
        let columns = GreyImage.spans(width, newWidth)
        let rows = GreyImage.spans(height, newHeight)
        var sums = [Double](repeating: 0, count: newWidth)
        var result: [UInt8] = []
        result.reserveCapacity(newWidth * newHeight)
        for span in rows {
            for column in 0..<newWidth { sums[column] = 0 }
            for (offset, weight) in span.weights.enumerated() {
                addRow(span.first + offset, weight, columns, to: &sums)
            }
            result += sums.map { UInt8(max(0, min(255, $0.rounded()))) }
        }
        return GreyImage(newWidth, newHeight, result)
    }

    /// The picture so small that its longer side has at most `side` pixels.
    package func limited(to side: Int) -> GreyImage {
        let longer = max(width, height)
        guard longer > side else { return self }
        return averaged(
            width: max(1, width * side / longer), height: max(1, height * side / longer))
    }

    private func addRow(
        _ row: Int, _ rowWeight: Double, _ columns: [Span], to sums: inout [Double]
    ) {
        pixels.withUnsafeBufferPointer { pixels in
            for column in columns.indices {
                let span = columns[column]
                let start = row * width + span.first
                let sum = span.weights.withUnsafeBufferPointer { weights in
                    var sum = 0.0
                    for offset in weights.indices {
                        sum += Double(pixels[start + offset]) * weights[offset]
                    }
                    return sum
                }
                sums[column] += sum * rowWeight
            }
        }
    }

    /// Old pixels that a new one covers, with the share of each.
    private struct Span { let first: Int, weights: [Double] }

    private static func spans(_ old: Int, _ new: Int) -> [Span] {
        (0..<new).map { index in
            let start = Double(index) * Double(old) / Double(new)
            let end = Double(index + 1) * Double(old) / Double(new)
            let first = min(old - 1, Int(start))
            let last = max(first, min(old - 1, Int(end.rounded(.up)) - 1))
            let covered = (first...last).map {
                max(0, min(end, Double($0 + 1)) - max(start, Double($0)))
            }
            let sum = covered.reduce(0, +)
            return Span(first: first, weights: covered.map { $0 / sum })
        }
    }
}
