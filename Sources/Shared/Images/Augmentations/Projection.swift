import Foundation

/// A map of the plane that keeps lines straight: a 3 × 3 matrix over places in pixels.
package struct Projection: Sendable, Hashable {
    /// Row by row: x' = (m0 x + m1 y + m2) / (m6 x + m7 y + m8), and y' likewise from m3 on.
    package let matrix: [Double]

    /// Leaves every place where it is.
    package static let identity = Projection([1, 0, 0, 0, 1, 0, 0, 0, 1])

    /// Nine coefficients, row by row.
    package init(_ matrix: [Double]) {
        precondition(matrix.count == 9, "Projection: \(matrix.count) coefficients, 9 are needed")
        self.matrix = matrix
    }

    /// Stretches by factors, then shifts.
    package static func affine(
        scaleX: Double = 1, scaleY: Double = 1, shiftX: Double = 0, shiftY: Double = 0
    ) -> Projection {
        Projection([scaleX, 0, shiftX, 0, scaleY, shiftY, 0, 0, 1])
    }

    /// From a picture turned counter-clockwise about its centre to the picture that was turned.
    package static func rotation(degrees: Double, width: Double, height: Double) -> Projection {
        let angle = -degrees * .pi / 180
        let (cosine, sine) = (cos(angle), sin(angle))
        let (x, y) = (width / 2, height / 2)
        return Projection([
            cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y,
            0, 0, 1,
        ])
    }

    /// From a picture turned clockwise by a right angle, whose sides are swapped, to the picture
    /// that was turned.
    ///
    /// - Parameter height: of the picture that was turned
    package static func quarterTurn(height: Double) -> Projection {
        Projection([0, 1, 0, -1, 0, height, 0, 0, 1])
    }

    /// From the corners of a picture to places inwards of them.
    ///
    /// - Parameter corners: shares of width and height below one half, x and y of the upper left,
    ///   upper right, lower right and lower left corner
    package static func slant(corners: [Double], width: Double, height: Double) -> Projection {
        precondition(
            corners.count == 8 && corners.allSatisfy { $0 >= 0 && $0 < 0.5 },
            "slant: corners \(corners), 8 shares from 0 to below 0.5 are needed")
        let places = [(0.0, 0.0), (width, 0), (width, height), (0, height)]
        let sources = places.enumerated().map { index, place in
            let (x, y) = (corners[2 * index] * width, corners[2 * index + 1] * height)
            return (place.0 == 0 ? x : width - x, place.1 == 0 ? y : height - y)
        }
        return Projection(from: places, to: sources)
    }

    /// The projection that leads four places to four others, by elimination with pivots.
    private init(from places: [(Double, Double)], to sources: [(Double, Double)]) {
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
        matrix = (0..<8).map { rows[$0][8] / rows[$0][$0] } + [1]
    }

    /// First `inner`, then this one.
    package func after(_ inner: Projection) -> Projection {
        var product = [Double](repeating: 0, count: 9)
        for row in 0..<3 {
            for column in 0..<3 {
                for index in 0..<3 {
                    product[3 * row + column] +=
                        matrix[3 * row + index] * inner.matrix[3 * index + column]
                }
            }
        }
        return Projection(product)
    }

    /// Where a place is led; nil if it goes beyond the horizon.
    package func place(_ x: Double, _ y: Double) -> (x: Double, y: Double)? {
        let scale = matrix[6] * x + matrix[7] * y + matrix[8]
        guard scale > 1e-9 else { return nil }
        return (
            (matrix[0] * x + matrix[1] * y + matrix[2]) / scale,
            (matrix[3] * x + matrix[4] * y + matrix[5]) / scale
        )
    }

    /// The projection back; nil if there is none.
    package var inverse: Projection? {
        let m = matrix
        func minor(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> Double { m[a] * m[d] - m[b] * m[c] }
        let adjoint = [
            minor(4, 5, 7, 8), -minor(1, 2, 7, 8), minor(1, 2, 4, 5),
            -minor(3, 5, 6, 8), minor(0, 2, 6, 8), -minor(0, 2, 3, 5),
            minor(3, 4, 6, 7), -minor(0, 1, 6, 7), minor(0, 1, 3, 4),
        ]
        let determinant = m[0] * adjoint[0] + m[1] * adjoint[3] + m[2] * adjoint[6]
        guard abs(determinant) > 1e-12 else { return nil }
        return Projection(adjoint.map { $0 / determinant })
    }
}
