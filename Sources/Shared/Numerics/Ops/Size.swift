internal import CKernels

extension Tensor {
    /// The largest absolute value, float32, shape `[]`: NaN where any element is. Not
    /// differentiable.
    package func maxAbs() -> Tensor {
        var partial = blocks(CK_max_abs_blocks_f32)
        while partial.shape.count > 1 { partial = partial.blocks(CK_max_abs_blocks_f32) }
        return partial.detached().reshaped([])
    }
}
