internal import CKernels

extension Tensor {
    /// Gates `up` by self: `y = g · σ(g) · up`, where g is self. Nothing is kept but the inputs.
    /// - Parameter up: self's shape and type
    /// - Returns: same shape as self
    package func swiGLU(_ up: Tensor) -> Tensor {
        precondition(
            up.shape == shape && up.type == type,
            "swiGLU: gate \(shape) of \(type), up \(up.shape) of \(up.type)")
        let y = Tensor.empty(shape, type, on: backend)
        launchSwiGLU(CK_swiglu_f32, [y.write, read, up.read])
        let gate = detached()
        return y.recorded("swiGLU", inputs: [self, up]) { dy, needed in
            gate.swiGLUGradients(dy, up, needed)
        }
    }

    /// With s = σ(g):  dg = dy · up · s · (1 + g · (1 − s)),  dup = dy · g · s.
    private func swiGLUGradients(_ dy: Tensor, _ up: Tensor, _ needed: [Bool]) -> [Tensor?] {
        let gradients = needed.map { $0 ? Tensor.empty(shape, type, on: backend) : nil }
        launchSwiGLU(CK_swiglu_d_f32, gradients.map { $0?.write } + [dy.read, read, up.read])
        return gradients
    }

    private func launchSwiGLU(_ kernel: ck_kernel, _ operands: [Operand?]) {
        backend.enqueue(
            Launch(
                Kernel(kernel, for: type), operands, units: shape.count,
                grain: Launch.grain(elements: 4)))
    }
}
