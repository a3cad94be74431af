internal import CKernels

extension Tensor {
    /// The length of all tensors as one vector, √ Σ x², in float32. The order of the additions
    /// depends on the shapes alone. Not differentiable.
    /// - Parameter tensors: of float types, on one device; at least one
    /// - Returns: `[]`, float32
    package static func norm(_ tensors: [Tensor]) -> Tensor {
        let squares = tensors.map { $0.detached().blocks(CK_square_blocks_f32) }
        return Tensor.concatenated(squares).sum().squareRoots()
    }

    /// The largest absolute value, float32, shape `[]`: NaN where any element is. Not
    /// differentiable.
    package func maxAbs() -> Tensor {
        var partial = blocks(CK_max_abs_blocks_f32)
        while partial.shape.count > 1 { partial = partial.blocks(CK_max_abs_blocks_f32) }
        return partial.detached().reshaped([])
    }

    private func squareRoots() -> Tensor {
        let y = Tensor.empty(shape, .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_square_root), [y.write, read], units: shape.count,
                grain: Launch.grain(elements: 4)))
        return y
    }
}
