/// The sum of the gradients of several micro-batches, in float32, by the parameters' names. What
/// the sum is to be divided by, such as the count of all tokens, goes to `GradientNorm` as a scale
/// or to `scaled`.
package struct GradientSum: Sendable {
    /// Sums in the order in which their parameters first had a gradient.
    package private(set) var gradients = NamedTensors()

    package init() {}

    /// Adds the gradients of one micro-batch. A parameter without one counts as zeros.
    package mutating func add(_ more: NamedTensors) {
        for (name, gradient) in more {
            let gradient = gradient.detached().converted(to: .float32)
            gradients[name] = gradients[name].map { $0 + gradient } ?? gradient
        }
    }

    /// Adds the gradients of one micro-batch.
    /// - Parameter parameters: tracked, as the forward pass got them
    package mutating func add(_ more: Gradients, of parameters: NamedTensors) {
        add(more.named(by: parameters))
    }

    /// The sums multiplied by a number.
    package func scaled(by factor: Float) -> NamedTensors { gradients.mapValues { $0 * factor } }
}
