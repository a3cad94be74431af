/// Tensors by name, in a fixed order: the parameters of a model, or their gradients.
package struct NamedTensors: Sendable {
    /// In the order in which they were added.
    package private(set) var names: [String] = []
    private var tensors: [String: Tensor] = [:]

    package init() {}

    /// - Parameter pairs: no name may occur twice
    package init(_ pairs: some Sequence<(String, Tensor)>) {
        for (name, tensor) in pairs {
            precondition(tensors[name] == nil, "named tensors: '\(name)' occurs twice")
            self[name] = tensor
        }
    }

    package var count: Int { names.count }
    package var isEmpty: Bool { names.isEmpty }

    /// Where the tensors are; nil without any.
    var backend: (any Backend)? { names.first.flatMap { tensors[$0]?.backend } }

    /// A new name is added at the end.
    package subscript(name: String) -> Tensor? {
        get { tensors[name] }
        set {
            if tensors[name] == nil, newValue != nil { names.append(name) }
            if tensors[name] != nil, newValue == nil { names.removeAll { $0 == name } }
            tensors[name] = newValue
        }
    }

    /// The same names with other tensors.
    package func mapValues(_ transform: (Tensor) -> Tensor) -> NamedTensors {
        var copy = self
        copy.tensors = tensors.mapValues(transform)
        return copy
    }

    /// The same elements as leaves that gradients are wanted for: what a forward pass gets.
    package func tracked() -> NamedTensors { mapValues { $0.tracked() } }
}

extension NamedTensors: Sequence {
    package func makeIterator() -> AnyIterator<(name: String, tensor: Tensor)> {
        var place = 0
        return AnyIterator {
            guard place < names.count, let tensor = tensors[names[place]] else { return nil }
            place += 1
            return (names[place - 1], tensor)
        }
    }
}

extension Gradients {
    /// The gradients of parameters by their names, without those that the result does not depend
    /// on.
    /// - Parameter parameters: tracked, as the forward pass got them
    package func named(by parameters: NamedTensors) -> NamedTensors {
        NamedTensors(parameters.compactMap { name, tensor in self[tensor].map { (name, $0) } })
    }
}
