internal import CKernels

extension Tensor {
    /// The mean of all elements, float32, shape `[]`.
    package func mean() -> Tensor {
        precondition(shape.count > 0, "mean: of \(shape)")
        return sum() * (1 / Float(shape.count))
    }

    /// The mean of each row.
    /// - Returns: float32 `[...]`, where self is `[..., D]`
    package func rowMeans() -> Tensor {
        precondition(shape.rank > 0 && shape.width > 0, "rowMeans: of \(shape)")
        let y = Tensor.empty(Shape(shape.extents.dropLast()), .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_row_means_f32, for: type), [y.write, read], numbers: [shape.width],
                units: shape.rows, grain: Launch.grain(elements: shape.width)))
        let (source, type) = (shape, type)
        return y.recorded("rowMeans", inputs: [self]) { dy, _ in
            let dx = Tensor.empty(source, type, on: dy.backend)
            dx.backend.enqueue(
                Launch(
                    Kernel(CK_spread_rows_f32, for: type), [dx.write, dy.read],
                    numbers: [source.width], scalars: [1 / Float(source.width)],
                    units: source.rows, grain: Launch.grain(elements: source.width)))
            return [dx]
        }
    }
}
