import Base
import Images
import Quality
import Resources

/// Pictures in rows on white: an original, then its variants.
struct ContactSheet: Sendable {
    /// Side of a cell, in pixels.
    let side: Int
    /// Pictures of each row.
    let columns: Int

    /// Pixels of white around each cell.
    private static let gap = 4
    /// Pixels of a whole sheet: what is more would not fit an answer as PNG.
    private static let pixelsMax = 32 << 20

    /// Checks that so many rows fit a sheet.
    init(side: Int, columns: Int, rows: Int) throws(DatasetError) {
        (self.side, self.columns) = (side, columns)
        let pixels = width * height(rows: rows)
        guard pixels <= Self.pixelsMax else {
            throw .invalid(
                field: "cell_side_pixels", seen: "\(side) for \(rows) x \(columns) pictures",
                allowed: "a sheet of \(Self.pixelsMax) pixels or fewer is allowed, not \(pixels)")
        }
    }

    private var step: Int { side + Self.gap }
    private var width: Int { columns * step + Self.gap }
    private func height(rows: Int) -> Int { rows * step + Self.gap }

    /// The pictures of one row, side by side.
    func strip(_ pictures: [RGBImage]) throws(ImageError) -> RGBImage {
        var pixels = [UInt8](repeating: 255, count: width * step * 3)
        for (column, picture) in pictures.enumerated() {
            let small = try picture.limited(to: side)
            let left = Self.gap + column * step + (side - small.width) / 2
            let top = Self.gap + (side - small.height) / 2
            for row in 0..<small.height {
                let place = ((top + row) * width + left) * 3
                let source = row * small.width * 3..<(row + 1) * small.width * 3
                pixels.replaceSubrange(place..<place + source.count, with: small.pixels[source])
            }
        }
        guard let strip = RGBImage(width: width, height: step, pixels: pixels) else {
            throw .badSize(width: width, height: step)
        }
        return strip
    }

    /// The sheet of all rows, as PNG.
    func png(_ strips: [RGBImage]) throws(ImageError) -> Bytes {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height(rows: strips.count) * 3)
        for strip in strips { pixels += strip.pixels }
        pixels += [UInt8](repeating: 255, count: width * Self.gap * 3)
        let height = height(rows: strips.count)
        guard let sheet = RGBImage(width: width, height: height, pixels: pixels) else {
            throw .badSize(width: width, height: height)
        }
        return try sheet.png(level: 6)
    }
}
