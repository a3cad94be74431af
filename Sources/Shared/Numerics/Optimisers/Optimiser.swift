/// A rule that makes new parameters of old ones, their gradients and a state. It holds options
/// only; the state is a value that `start` makes and `update` replaces, so whoever keeps the old
/// parameters and the old state can go back to them.
///
/// Arithmetic is in float32. Of parameters stored as bfloat16 or float16 the state holds a
/// float32 master, which the steps change; the parameter is the master rounded. Otherwise steps
/// smaller than half a unit of the parameter's last place would be lost.
package protocol Optimiser: Sendable {
    /// What a saved state says it is of, such as `adamw`.
    static var name: String { get }

    /// What the rule keeps for a parameter, besides a master.
    func layout(of name: String, _ shape: Shape) -> [StatePart: StateLayout]

    /// Tables on the device that every step needs.
    func tables(on backend: any Backend) -> [Tensor]

    /// Makes the next value of a parameter.
    /// - Parameters:
    ///   - parameter: float32
    ///   - gradient: of the same shape and any float type
    ///   - parts: what `layout` describes; replaced
    func step(
        _ parameter: Tensor, _ gradient: Tensor, _ parts: inout [StatePart: Tensor],
        _ step: OptimiserStep
    ) -> Tensor
}

/// What an optimiser keeps for a parameter.
package enum StatePart: String, Sendable, CaseIterable {
    /// The parameter in float32.
    case master
    /// Running means of the gradient and of its square.
    case mean, square
    /// The same as bytes, with a scale a block.
    case meanCodes, meanScales, squareCodes, squareScales
    /// The sum of gradients that momentum keeps.
    case velocity
}

/// Shape and type of a part of the state. It starts as zeros.
package struct StateLayout: Hashable, Sendable {
    package let shape: Shape
    package let type: DType

    package init(shape: Shape, type: DType) {
        self.shape = shape
        self.type = type
    }
}

/// One step, as a rule sees it.
package struct OptimiserStep: Sendable {
    /// Name of the parameter.
    package let name: String
    /// How many updates of this parameter there are with this one.
    package let number: Int
    package let learningRate: Double
    /// What the gradient is to be multiplied by, float32, `[]`; nil for 1.
    package let factor: Tensor?
    /// What the rule asked for in `tables`.
    package let tables: [Tensor]
}

/// What an optimiser carries from one step to the next.
package struct OptimiserState: Sendable {
    struct Slot: Sendable {
        var updates = 0
        var parts: [StatePart: Tensor]
    }

    var slots: [String: Slot] = [:]

    /// Bytes of all tensors.
    package var byteCount: Int {
        slots.values.reduce(0) { sum, slot in
            slot.parts.values.reduce(sum) { $0 + $1.byteCount }
        }
    }
}

extension Optimiser {
    package func tables(on backend: any Backend) -> [Tensor] { [] }

    /// The state before the first step.
    package func start(_ parameters: NamedTensors) -> OptimiserState {
        var state = OptimiserState()
        for (name, parameter) in parameters {
            var parts = layout(of: name, parameter.shape).mapValues {
                $0.zeros(on: parameter.backend)
            }
            if parameter.type != .float32 {
                parts[.master] = parameter.detached().converted(to: .float32)
            }
            state.slots[name] = OptimiserState.Slot(parts: parts)
        }
        return state
    }

    /// Takes one step with every parameter that has a gradient. One tensor after another is
    /// replaced, so where nobody else holds the old ones, memory for the largest is all it needs.
    ///
    /// - Parameters:
    ///   - parameters: all that the state was started for
    ///   - gradients: of some or all of them; the others stay as they are
    ///   - learningRate: of this step, before the multiplier of a parameter's group
    ///   - factor: what the gradients are to be multiplied by, float32, `[]`; nil for 1
    package func update(
        _ parameters: inout NamedTensors, with gradients: NamedTensors,
        state: inout OptimiserState, learningRate: Double, factor: Tensor? = nil
    ) {
        guard let backend = gradients.backend else { return }
        let tables = tables(on: backend)
        for (name, gradient) in gradients {
            guard let parameter = parameters[name], var slot = state.slots[name] else {
                preconditionFailure("\(Self.name): a gradient of '\(name)', which has no state")
            }
            precondition(
                gradient.shape == parameter.shape,
                "\(Self.name): '\(name)' is \(parameter.shape), its gradient \(gradient.shape)")
            slot.updates += 1
            let step = OptimiserStep(
                name: name, number: slot.updates, learningRate: learningRate, factor: factor,
                tables: tables)
            let master = self.step(slot.parts[.master] ?? parameter, gradient, &slot.parts, step)
            if parameter.type != .float32 { slot.parts[.master] = master }
            parameters[name] = master.converted(to: parameter.type)
            state.slots[name] = slot
        }
    }
}

extension StateLayout {
    func zeros(on backend: any Backend) -> Tensor {
        let words = (shape.count * type.byteCount + 3) / 4
        let zeros = Tensor.filled(0, [words], on: backend)
        return Tensor(shape: shape, type: type, buffer: zeros.buffer)
    }
}
