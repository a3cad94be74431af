package import Base

/// The numbers of a saved optimiser state, kept beside its tensors.
package struct SavedOptimiserState: Hashable, Codable, Sendable {
    /// Name of the optimiser.
    package var optimiser: String
    /// How many updates each parameter has had, by name.
    package var updates: [String: Int]

    package init(optimiser: String, updates: [String: Int]) {
        self.optimiser = optimiser
        self.updates = updates
    }
}

extension Optimiser {
    /// What `restored` needs to go on with the same bits. Tensors are named after the parameter
    /// and the part: `layers.0.weight.mean`.
    package func saved(
        _ state: OptimiserState
    ) -> (numbers: SavedOptimiserState, tensors: [String: Tensor]) {
        var tensors: [String: Tensor] = [:]
        for (name, slot) in state.slots {
            for (part, tensor) in slot.parts { tensors["\(name).\(part.rawValue)"] = tensor }
        }
        let updates = state.slots.mapValues(\.updates)
        return (SavedOptimiserState(optimiser: Self.name, updates: updates), tensors)
    }

    /// The state that was saved.
    /// - Parameter parameters: those that go on, of the same names, shapes and types as then
    package func restored(
        _ numbers: SavedOptimiserState, _ tensors: [String: Tensor],
        for parameters: NamedTensors
    ) throws(SavedStateError) -> OptimiserState {
        guard numbers.optimiser == Self.name else {
            throw .otherOptimiser(saved: numbers.optimiser, wanted: Self.name)
        }
        var state = OptimiserState()
        var unused = Set(tensors.keys)
        for (name, parameter) in parameters {
            guard let updates = numbers.updates[name] else { throw .countMissing(name) }
            guard updates >= 0, updates < Int(Int32.max) else {
                throw .countInvalid(name, updates)
            }
            var slot = OptimiserState.Slot(updates: updates, parts: [:])
            for (part, layout) in savedLayout(of: name, parameter) {
                let key = "\(name).\(part.rawValue)"
                slot.parts[part] = try layout.checked(tensors[key], name: key)
                unused.remove(key)
            }
            state.slots[name] = slot
        }
        if let name = unused.min() { throw .tensorUnknown(name) }
        if let name = numbers.updates.keys.filter({ parameters[$0] == nil }).min() {
            throw .tensorUnknown(name)
        }
        return state
    }

    private func savedLayout(
        of name: String, _ parameter: Tensor
    ) -> [(StatePart, StateLayout)] {
        var parts = layout(of: name, parameter.shape)
        if parameter.type != .float32 {
            parts[.master] = StateLayout(shape: parameter.shape, type: .float32)
        }
        return parts.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key, $0.value) }
    }
}

extension StateLayout {
    fileprivate func checked(
        _ tensor: Tensor?, name: String
    ) throws(SavedStateError) -> Tensor {
        guard let tensor else { throw .tensorMissing(name, wanted: self) }
        let found = StateLayout(shape: tensor.shape, type: tensor.type)
        guard found == self else { throw .tensorDoesNotFit(name, found: found, wanted: self) }
        return tensor.detached()
    }
}

extension StateLayout: CustomStringConvertible {
    package var description: String { "\(shape) of \(type)" }
}

/// Why a saved optimiser state cannot be gone on with.
package enum SavedStateError: Failure, Hashable {
    case otherOptimiser(saved: String, wanted: String)
    case countMissing(String)
    case countInvalid(String, Int)
    case tensorMissing(String, wanted: StateLayout)
    case tensorDoesNotFit(String, found: StateLayout, wanted: StateLayout)
    case tensorUnknown(String)

    package var kind: FailureKind { .invalidInput }

    package var message: String {
        switch self {
        case .otherOptimiser(let saved, let wanted):
            "the saved optimiser state is of '\(saved)'; this run uses '\(wanted)'"
        case .countMissing(let name):
            "the saved optimiser state does not count the updates of '\(name)'"
        case .countInvalid(let name, let count):
            "the saved optimiser state counts \(count) updates of '\(name)'; "
                + "0 to \(Int32.max - 1) are possible"
        case .tensorMissing(let name, let wanted):
            "the saved optimiser state has no '\(name)'; \(wanted) is wanted"
        case .tensorDoesNotFit(let name, let found, let wanted):
            "'\(name)' of the saved optimiser state is \(found); \(wanted) is wanted"
        case .tensorUnknown(let name):
            "the saved optimiser state has '\(name)', which belongs to no parameter of this run"
        }
    }

    package var reason: String {
        switch self {
        case .otherOptimiser: "OPTIMISER_STATE_OTHER_OPTIMISER"
        case .countMissing: "OPTIMISER_STATE_COUNT_MISSING"
        case .countInvalid: "OPTIMISER_STATE_COUNT_INVALID"
        case .tensorMissing: "OPTIMISER_STATE_TENSOR_MISSING"
        case .tensorDoesNotFit: "OPTIMISER_STATE_TENSOR_DOES_NOT_FIT"
        case .tensorUnknown: "OPTIMISER_STATE_TENSOR_UNKNOWN"
        }
    }
}
