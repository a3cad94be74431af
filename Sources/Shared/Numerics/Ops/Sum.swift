internal import CKernels

extension Tensor {
    /// The sum of all elements, float32, shape `[]`. The order of the additions depends on the
    /// count alone.
    package func sum() -> Tensor {
        var partial = detached().blocks(CK_sum_blocks_f32)
        while partial.shape.count > 1 { partial = partial.blocks(CK_sum_blocks_f32) }
        let (source, type) = (shape, type)
        return partial.reshaped([]).recorded("sum", inputs: [self]) { dy, _ in
            [dy.repeated(to: source, type)]
        }
    }

    /// Sums rows until `target` is left: self's shape, or `[D]` where self is `[..., D]`.
    func summed(to target: Shape) -> Tensor {
        guard target != shape else { return self }
        precondition(target == [shape.width], "summed: \(shape) to \(target)")
        let y = Tensor.empty(target, type, on: backend)
        let blocks = (shape.width + Int(CK_COLUMNS) - 1) / Int(CK_COLUMNS)
        backend.enqueue(
            Launch(
                Kernel(CK_sum_rows_f32, for: type), [y.write, read],
                numbers: [shape.rows, shape.width], units: blocks,
                grain: Launch.grain(elements: shape.rows * Int(CK_COLUMNS))))
        return y
    }

    /// One float32 number for each block of 4,096 elements, in their order.
    func blocks(_ kernel: ck_kernel) -> Tensor {
        let block = 4096
        let blocks = max((shape.count + block - 1) / block, 1)
        let y = Tensor.empty([blocks], .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(kernel, for: type), [y.write, read], numbers: [shape.count, block],
                units: blocks, grain: Launch.grain(elements: block)))
        return y
    }

    /// One float32 number in every place of a shape.
    private func repeated(to target: Shape, _ type: DType) -> Tensor {
        let y = Tensor.empty(target, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_repeat_f32, for: type), [y.write, read], units: target.count,
                grain: Launch.grain(elements: 1)))
        return y
    }
}
