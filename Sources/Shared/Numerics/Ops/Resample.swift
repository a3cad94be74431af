/// How a table of positions is read between its entries.
package enum Interpolation: Sendable {
    /// Weights fall linearly over one entry to each side.
    case bilinear
    /// Cubic convolution over two entries to each side, with a = −0.75.
    case bicubic

    /// What one axis takes from where, as `torch.nn.functional.interpolate` with
    /// `align_corners=False` and without antialiasing: entry i of the result is read at
    /// (i + ½) · source / target − ½, and entries past an end are the last one there.
    fileprivate func taps(from source: Int, to target: Int) -> [[(entry: Int, weight: Double)]] {
        (0..<target).map { entry in
            let place = (Double(entry) + 0.5) * Double(source) / Double(target) - 0.5
            switch self {
            case .bilinear:
                let start = max(place, 0)
                let (low, share) = (Int(start), start - start.rounded(.down))
                return [(low, 1 - share), (min(low + 1, source - 1), share)]
            case .bicubic:
                let low = Int(place.rounded(.down))
                return (-1...2).map { step in
                    let distance = abs(place - Double(low + step))
                    let weight = Interpolation.cubicWeight(distance)
                    return (min(max(low + step, 0), source - 1), weight)
                }
            }
        }
    }

    private static func cubicWeight(_ distance: Double) -> Double {
        let (a, x) = (-0.75, distance)
        return x <= 1
            ? ((a + 2) * x - (a + 3)) * x * x + 1
            : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    }
}

extension Tensor {
    /// Reads a table of positions on another grid, as towers do for images of another size.
    /// - Parameters:
    ///   - source: rows and columns of the grid that self `[rows · columns, D]` is for
    ///   - target: rows and columns of the grid that is wanted
    /// - Returns: `[rows · columns, D]` of the target
    package func resampled(
        from source: (rows: Int, columns: Int), to target: (rows: Int, columns: Int),
        _ interpolation: Interpolation
    ) -> Tensor {
        precondition(
            shape.rank == 2 && shape[0] == source.rows * source.columns && shape[0] > 0
                && target.rows > 0 && target.columns > 0,
            "resampled: table \(shape) of \(source), to \(target)")
        guard source != target else { return self }
        let down = interpolation.taps(from: source.rows, to: target.rows)
        let along = interpolation.taps(from: source.columns, to: target.columns)
        let lists = down.flatMap { rows in
            along.map { columns in
                rows.flatMap { row in
                    columns.map { column in
                        (
                            source: row.entry * source.columns + column.entry,
                            weight: Float(row.weight * column.weight)
                        )
                    }
                }
            }
        }
        let sums = RowSums(lists)
        let rows = shape[0]
        return detached().combined(sums).recorded("resampled", inputs: [self]) { dy, _ in
            [dy.combined(sums.transposed(sourceRows: rows))]
        }
    }
}
