import CImages
import Foundation

extension RGBImage {
    /// Turned counter-clockwise about the centre, on a canvas of the same size, as Pillow's
    /// `rotate` with bilinear sampling does it.
    ///
    /// - Parameter fillRGB: colour of the corners as 0xRRGGBB; nil repeats the edge
    package func rotated(degrees: Double, fillRGB: UInt32? = nil) -> RGBImage {
        precondition(degrees.isFinite, "rotated: \(degrees) degrees")
        let angle = -degrees * .pi / 180
        let (cosine, sine) = (cos(angle), sin(angle))
        let (x, y) = (Double(width) / 2, Double(height) / 2)
        return projected(
            [
                cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y,
                0, 0,
            ], fillRGB: fillRGB)
    }

    /// Seen at a slant: the corners of the new picture show the places that lie inwards of the
    /// old ones by `corners`.
    ///
    /// - Parameter corners: shares of width and height below one half, x and y of the upper left,
    ///   upper right, lower right and lower left corner
    package func slanted(corners: [Double]) -> RGBImage {
        precondition(
            corners.count == 8 && corners.allSatisfy { $0 >= 0 && $0 < 0.5 },
            "slanted: corners \(corners), 8 shares from 0 to below 0.5 are needed")
        let (w, h) = (Double(width), Double(height))
        let places = [(0.0, 0.0), (w, 0), (w, h), (0, h)]
        let sources = places.enumerated().map { index, place in
            let (x, y) = (corners[2 * index] * w, corners[2 * index + 1] * h)
            return (place.0 == 0 ? x : w - x, place.1 == 0 ? y : h - y)
        }
        return projected(Self.projection(from: places, to: sources), fillRGB: nil)
    }

    /// Each pixel taken from where a projection leads it.
    ///
    /// - Parameter map: eight coefficients, as Pillow's `Transform.PERSPECTIVE` takes them
    package func projected(_ map: [Double], fillRGB: UInt32?) -> RGBImage {
        precondition(map.count == 8, "projected: \(map.count) coefficients, 8 are needed")
        let fill = fillRGB.map { [UInt8($0 >> 16 & 255), UInt8($0 >> 8 & 255), UInt8($0 & 255)] }
        return RGBImage(width, height) { target in
            ci_project(target.baseAddress, pixels, width, height, map, fill)
        }
    }

    /// The projection that leads four places to four others, by elimination with pivots.
    private static func projection(
        from places: [(Double, Double)], to sources: [(Double, Double)]
    ) -> [Double] {
        var rows: [[Double]] = []
        for ((x, y), (u, v)) in zip(places, sources) {
            rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
            rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
        }
        for column in 0..<8 {
            let pivot = (column..<8).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(column, pivot)
            for row in 0..<8 where row != column {
                let factor = rows[row][column] / rows[column][column]
                for index in column..<9 { rows[row][index] -= factor * rows[column][index] }
            }
        }
        return (0..<8).map { rows[$0][8] / rows[$0][$0] }
    }
}
