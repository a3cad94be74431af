internal import CKernels

extension Tensor {
    /// Adds elementwise.
    /// - Parameter b: self's shape, or `[D]` for every row of self `[..., D]`
    package static func + (a: Tensor, b: Tensor) -> Tensor {
        // The derivative needs the shape alone: b itself is not kept for it.
        let shape = b.shape
        return a.elementwise(CK_add_f32, row: CK_add_row_f32, "add", b)
            .recorded("add", inputs: [a, b]) { dy, needed in
                [needed[0] ? dy : nil, needed[1] ? dy.summed(to: shape) : nil]
            }
    }

    /// Multiplies elementwise.
    /// - Parameter b: self's shape, or `[D]` for every row of self `[..., D]`
    package static func * (a: Tensor, b: Tensor) -> Tensor {
        a.elementwise(CK_multiply_f32, row: CK_multiply_row_f32, "multiply", b)
            .recorded("multiply", inputs: [a, b]) { dy, needed in
                [
                    needed[0] ? dy * b.detached() : nil,
                    needed[1] ? (dy * a.detached()).summed(to: b.shape) : nil,
                ]
            }
    }

    /// Multiplies every element by a number.
    package static func * (x: Tensor, factor: Float) -> Tensor {
        let y = Tensor.empty(x.shape, x.type, on: x.backend)
        x.backend.enqueue(
            Launch(
                Kernel(CK_scale_f32, for: x.type), [y.write, x.read], scalars: [factor],
                units: x.shape.count, grain: Launch.grain(elements: 1)))
        return y.recorded("scale", inputs: [x]) { dy, _ in [dy * factor] }
    }

    private func elementwise(
        _ kernel: ck_kernel, row: ck_kernel, _ name: String, _ b: Tensor
    ) -> Tensor {
        precondition(b.type == type, "\(name): \(shape) of \(type) and \(b.shape) of \(b.type)")
        let y = Tensor.empty(shape, type, on: backend)
        let operands = [y.write, read, b.read]
        if b.shape == shape {
            backend.enqueue(
                Launch(
                    Kernel(kernel, for: type), operands, units: shape.count,
                    grain: Launch.grain(elements: 1)))
        } else {
            precondition(b.shape == [shape.width], "\(name): \(shape) and \(b.shape)")
            backend.enqueue(
                Launch(
                    Kernel(row, for: type), operands, numbers: [shape.width],
                    units: shape.rows, grain: Launch.grain(elements: shape.width)))
        }
        return y
    }
}
