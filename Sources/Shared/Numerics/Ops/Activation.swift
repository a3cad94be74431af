internal import CKernels

/// A function of each element by itself.
package enum Activation: Sendable, Hashable, CaseIterable {
    /// x · σ(x), where σ(x) = 1 / (1 + e⁻ˣ).
    case silu
    /// x · Φ(x), where Φ is the distribution function of normal numbers.
    case gelu
    /// x · (1 + tanh u) / 2, where u = √(2 / π) · (x + 0.044715 x³): nearly `gelu`.
    case geluTanh
    /// x · σ(1.702 x): CLIP's approximation of `gelu`.
    case quickGELU

    fileprivate var kernels: (forward: ck_kernel, backward: ck_kernel) {
        switch self {
        case .silu, .quickGELU: (CK_silu_f32, CK_silu_dx_f32)
        case .gelu: (CK_gelu_f32, CK_gelu_dx_f32)
        case .geluTanh: (CK_gelu_tanh_f32, CK_gelu_tanh_dx_f32)
        }
    }

    fileprivate var factor: Float { self == .quickGELU ? 1.702 : 1 }
}

extension Tensor {
    /// Applies an activation to every element. GELU is within 1e-6 of its definition.
    /// - Returns: same shape as self
    package func activated(_ activation: Activation) -> Tensor {
        let x = detached()
        let y = elementwise(activation.kernels.forward, [read], factor: activation.factor)
        return y.recorded("activated", inputs: [self]) { dy, _ in
            [
                x.elementwise(
                    activation.kernels.backward, [dy.read, x.read], factor: activation.factor)
            ]
        }
    }

    private func elementwise(_ kernel: ck_kernel, _ inputs: [Operand], factor: Float) -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(kernel, for: type), [y.write] + inputs, scalars: [factor],
                units: shape.count, grain: Launch.grain(elements: 4)))
        return y
    }
}
