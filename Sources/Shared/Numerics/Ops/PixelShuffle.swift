/// The order in which pixel shuffle leaves the cells: InternVL's `ps_version`.
package enum PixelShuffleOrder: String, Sendable {
    /// Row by row.
    case v2
    /// Column by column: the authors' first version forgot to transpose back.
    case v1
}

extension Tensor {
    /// Puts 2 × 2 neighbours of a grid into one wider row (pixel shuffle by 0.5): cell (r, c) is
    /// the rows at (2r, 2c), (2r, 2c + 1), (2r + 1, 2c), (2r + 1, 2c + 1), one after another.
    /// - Parameters:
    ///   - grid: rows Y and columns X of each grid, both even; self is `[I · Y · X, D]`, row by row
    /// - Returns: `[I · Y/2 · X/2, 4 · D]`
    package func pixelShuffled(
        grid: (rows: Int, columns: Int), order: PixelShuffleOrder
    ) -> Tensor {
        let cells = grid.rows * grid.columns
        precondition(
            shape.rank == 2 && cells > 0 && shape[0] % cells == 0
                && grid.rows % 2 == 0 && grid.columns % 2 == 0,
            "pixelShuffled: \(shape), grid of \(grid.rows) by \(grid.columns)")
        let (rows, columns) = (grid.rows / 2, grid.columns / 2)
        var indices: [Int32] = []
        indices.reserveCapacity(shape[0])
        for first in stride(from: 0, to: shape[0], by: cells) {
            for cell in 0..<rows * columns {
                let (row, column) =
                    switch order {
                    case .v2: (cell / columns, cell % columns)
                    case .v1: (cell % rows, cell / rows)
                    }
                let corner = first + 2 * row * grid.columns + 2 * column
                for step in [0, 1, grid.columns, grid.columns + 1] {
                    indices.append(Int32(corner + step))
                }
            }
        }
        return gathered(rows: indices).reshaped([shape[0] / 4, 4 * shape[1]])
    }
}
