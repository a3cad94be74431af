internal import CKernels

/// Gradient descent with momentum, Nesterov's momentum and weight decay, as torch's.
///
///     d = g + decay · p        b = momentum · b + d        p −= rate · b
package struct SGD: Optimiser {
    /// Of all parameters, or of a group of them.
    package struct Options: Hashable, Sendable {
        /// The group's learning rate is that of the step times this.
        package var learningRateFactor = 1.0
        package var momentum = 0.0
        /// Steps along d + momentum · b instead of b.
        package var isNesterov = false
        package var weightDecay = 0.0

        package init() {}
    }

    package static let name = "sgd"
    private let groups: ParameterGroups<Options>

    package init(_ groups: ParameterGroups<Options> = ParameterGroups(Options())) {
        self.groups = groups
    }

    package func layout(of name: String, _ shape: Shape) -> [StatePart: StateLayout] {
        guard groups.options(of: name).momentum != 0 else { return [:] }
        return [.velocity: StateLayout(shape: shape, type: .float32)]
    }

    package func step(
        _ p: Tensor, _ gradient: Tensor, _ parts: inout [StatePart: Tensor], _ step: OptimiserStep
    ) -> Tensor {
        let options = groups.options(of: step.name)
        let y = Tensor.empty(p.shape, .float32, on: p.backend)
        let old = parts[.velocity]
        let new = old.map { Tensor.empty($0.shape, .float32, on: $0.backend) }
        let rate = step.learningRate * options.learningRateFactor
        p.backend.enqueue(
            Launch(
                Kernel(CK_sgd_f32, for: gradient.type),
                [y.write, new?.write, p.read, old?.read, gradient.read, step.factor?.read],
                numbers: [options.isNesterov ? 1 : 0],
                scalars: [Float(rate), Float(options.weightDecay), Float(options.momentum)],
                units: p.shape.count, grain: Launch.grain(elements: 1)))
        parts[.velocity] = new
        return y
    }
}
