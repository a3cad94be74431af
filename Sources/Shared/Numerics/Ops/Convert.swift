internal import CKernels

extension Tensor {
    /// The same numbers stored as another type, rounded to nearest even. Its gradient is converted
    /// back. From int32 to float32 it is exact below 2^24 and has no gradient.
    package func converted(to target: DType) -> Tensor {
        guard target != type else { return self }
        if type == .int32 {
            return elements(CK_f32_from_i32).converted(to: target)
        }
        precondition(type.isFloat && target.isFloat, "converted: \(type) to \(target)")
        let source = type
        return detached().through(float32: target).recorded("converted", inputs: [self]) { dy, _ in
            [dy.converted(to: source)]
        }
    }

    private func through(float32 target: DType) -> Tensor {
        let middle = type == .float32 ? self : moved(CK_to_f32_f32, type, to: .float32)
        return target == .float32 ? middle : middle.moved(CK_from_f32_f32, target, to: target)
    }

    private func moved(_ kernel: ck_kernel, _ variant: DType, to target: DType) -> Tensor {
        let y = Tensor.empty(shape, target, on: backend)
        backend.enqueue(
            Launch(
                Kernel(kernel, for: variant), [y.write, read], units: shape.count,
                grain: Launch.grain(elements: 1)))
        return y
    }

    private func elements(_ kernel: ck_kernel) -> Tensor {
        let y = Tensor.empty(shape, .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(kernel), [y.write, read], units: shape.count,
                grain: Launch.grain(elements: 1)))
        return y
    }
}
