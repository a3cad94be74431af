internal import CKernels

extension Tensor {
    /// Scales each row to unit root-mean-square, then by `weight`.
    ///
    ///     r = 1 / √(mean(x²) + epsilon)        y = x · r · weight
    ///
    /// - Parameters:
    ///   - weight: `[D]`, where self is `[..., D]`
    ///   - epsilon: added to the mean square
    /// - Returns: same shape as self
    package func rmsNorm(weight: Tensor, epsilon: Float) -> Tensor {
        precondition(
            weight.shape == [shape.width] && weight.type == type,
            "rmsNorm: x \(shape) of \(type), weight \(weight.shape) of \(weight.type)")
        let x = detached()
        let y = Tensor.empty(shape, type, on: backend)
        let r = Tensor.empty([shape.rows], .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_rms_norm_f32, for: type), [y.write, r.write, read, weight.read],
                numbers: [shape.width], scalars: [epsilon], units: shape.rows,
                grain: Launch.grain(elements: shape.width)))
        return y.recorded("rmsNorm", inputs: [self, weight]) { dy, needed in
            [
                needed[0] ? x.rmsNormGradient(dy, weight, r) : nil,
                needed[1] ? x.rmsNormWeightGradient(dy, r) : nil,
            ]
        }
    }

    /// With g = dy · weight:  dx = r · g − x · r³ · mean(x · g).
    private func rmsNormGradient(_ dy: Tensor, _ weight: Tensor, _ r: Tensor) -> Tensor {
        let dx = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_rms_norm_dx_f32, for: type),
                [dx.write, dy.read, read, weight.read, r.read], numbers: [shape.width],
                units: shape.rows, grain: Launch.grain(elements: shape.width)))
        return dx
    }

    /// dweight = Σ over rows of dy · x · r.
    private func rmsNormWeightGradient(_ dy: Tensor, _ r: Tensor) -> Tensor {
        let dweight = Tensor.empty([shape.width], type, on: backend)
        let blocks = (shape.width + Int(CK_COLUMNS) - 1) / Int(CK_COLUMNS)
        backend.enqueue(
            Launch(
                Kernel(CK_rms_norm_dw_f32, for: type), [dweight.write, dy.read, read, r.read],
                numbers: [shape.rows, shape.width], units: blocks,
                grain: Launch.grain(elements: shape.rows * Int(CK_COLUMNS))))
        return dweight
    }
}
