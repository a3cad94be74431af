internal import CKernels

extension Tensor {
    /// Turns each head in the planes (j, j + K / 2) by the angles of its row.
    ///
    ///     y[j] = x[j] · cos − x[j + K/2] · sin        y[j + K/2] = x[j + K/2] · cos + x[j] · sin
    ///
    /// - Parameter tables: of `[N, K / 2]` angles, where self is `[N, H, K]`
    /// - Returns: same shape as self
    package func rotated(by tables: RotaryTables) -> Tensor {
        let (cosines, sines) = (tables.cosines.shape, tables.sines.shape)
        precondition(
            shape.rank == 3 && shape.width == 2 * cosines.width && shape[0] == cosines[0],
            "rotated: x \(shape), cosines \(cosines), sines \(sines)")
        return turned(by: tables, 1).recorded("rotated", inputs: [self]) { dy, _ in
            [dy.turned(by: tables, -1)]
        }
    }

    private func turned(by tables: RotaryTables, _ direction: Float) -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_rotary_f32, for: type),
                [y.write, read, tables.cosines.read, tables.sines.read],
                numbers: [shape[1], shape[2]], scalars: [direction], units: shape[0],
                grain: Launch.grain(elements: shape[1] * shape[2])))
        return y
    }
}
