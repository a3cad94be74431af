internal import CKernels

extension Tensor {
    /// Centres each row and scales it to unit variance, then scales by `weight` and adds `bias`.
    ///
    ///     r = 1 / √(variance(x) + epsilon)        y = (x − mean(x)) · r · weight + bias
    ///
    /// - Parameters:
    ///   - weight: `[D]`, where self is `[..., D]`
    ///   - bias: `[D]`
    ///   - epsilon: added to the variance, which is that of the row's numbers themselves (biased)
    /// - Returns: same shape as self
    package func layerNorm(weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        precondition(
            weight.shape == [shape.width] && bias.shape == weight.shape
                && weight.type == type && bias.type == type,
            "layerNorm: x \(shape) of \(type), weight \(weight.shape) of \(weight.type), "
                + "bias \(bias.shape) of \(bias.type)")
        let x = detached()
        let y = Tensor.empty(shape, type, on: backend)
        let mean = Tensor.empty([shape.rows], .float32, on: backend)
        let r = Tensor.empty([shape.rows], .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_layer_norm_f32, for: type),
                [y.write, mean.write, r.write, read, weight.read, bias.read],
                numbers: [shape.width], scalars: [epsilon], units: shape.rows,
                grain: Launch.grain(elements: shape.width)))
        return y.recorded("layerNorm", inputs: [self, weight, bias]) { dy, needed in
            [
                needed[0] ? x.layerNormGradient(dy, weight, mean, r) : nil,
                needed[1] ? x.layerNormWeightGradient(dy, mean, r) : nil,
                needed[2] ? dy.summed(to: bias.shape) : nil,
            ]
        }
    }

    /// With g = dy · weight and n = (x − mean) · r:  dx = r · (g − mean(g) − n · mean(g · n)).
    private func layerNormGradient(
        _ dy: Tensor, _ weight: Tensor, _ mean: Tensor, _ r: Tensor
    ) -> Tensor {
        let dx = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_layer_norm_dx_f32, for: type),
                [dx.write, dy.read, read, weight.read, mean.read, r.read],
                numbers: [shape.width], units: shape.rows,
                grain: Launch.grain(elements: shape.width)))
        return dx
    }

    /// dweight = Σ over rows of dy · (x − mean) · r.
    private func layerNormWeightGradient(_ dy: Tensor, _ mean: Tensor, _ r: Tensor) -> Tensor {
        let dweight = Tensor.empty([shape.width], type, on: backend)
        let blocks = (shape.width + Int(CK_COLUMNS) - 1) / Int(CK_COLUMNS)
        backend.enqueue(
            Launch(
                Kernel(CK_layer_norm_dw_f32, for: type),
                [dweight.write, dy.read, read, mean.read, r.read],
                numbers: [shape.rows, shape.width], units: blocks,
                grain: Launch.grain(elements: shape.rows * Int(CK_COLUMNS))))
        return dweight
    }
}
