internal import CKernels

extension Tensor {
    /// Turns each row into probabilities: `y = e^(x − max) / Σ e^(x − max)`, in float32.
    /// - Returns: same shape as self `[..., D]`
    package func softmax() -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        launchRows(CK_softmax_f32, [y.write, read])
        return y.recorded("softmax", inputs: [self]) { dy, _ in [y.softmaxGradient(dy)] }
    }

    /// With y = self:  dx = y · (dy − Σ y · dy).
    private func softmaxGradient(_ dy: Tensor) -> Tensor {
        let dx = Tensor.empty(shape, type, on: backend)
        launchRows(CK_softmax_dx_f32, [dx.write, dy.read, read])
        return dx
    }

    /// Where the largest number of each row is: the first place, if there are several; −1 in a row
    /// without a number (all are NaN). Not differentiable.
    /// - Returns: int32 `[...]`, where self is `[..., D]`
    package func argmax() -> Tensor {
        precondition(shape.rank > 0 && shape.width > 0, "argmax: of \(shape)")
        let y = Tensor.empty(Shape(shape.extents.dropLast()), .int32, on: backend)
        launchRows(CK_argmax_f32, [y.write, read])
        return y
    }

    private func launchRows(_ kernel: ck_kernel, _ operands: [Operand]) {
        backend.enqueue(
            Launch(
                Kernel(kernel, for: type), operands, numbers: [shape.width], units: shape.rows,
                grain: Launch.grain(elements: 4 * shape.width)))
    }
}
