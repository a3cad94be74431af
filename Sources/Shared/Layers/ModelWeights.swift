package import Numerics

/// How a model keeps its weights.
package struct WeightPlan: Sendable {
    /// The type that rows flow in, and of weights that are not quantised.
    package var type: DType
    /// How linear layers are kept that are neither trained nor quantised by the checkpoint; nil
    /// for `type`. Asked with the module's name.
    package var format: @Sendable (String) -> WeightFormat?
    /// Whether training may change a parameter. Asked with its name.
    package var isTrainable: @Sendable (String) -> Bool

    /// - Parameter type: float32, bfloat16 or float16
    package init(
        type: DType,
        format: @escaping @Sendable (String) -> WeightFormat? = { _ in nil },
        isTrainable: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        (self.type, self.format, self.isTrainable) = (type, format, isTrainable)
    }
}

/// Hands the tensors of a source to the layers of a model while it is built, and keeps the lists
/// by which passes and adapters find parameters and linear layers again.
package final class ModelWeights {
    private let source: any WeightSource
    package let plan: WeightPlan
    /// Every parameter that was handed out, by index.
    package private(set) var parameters: [ParameterSite] = []
    /// Every linear layer that was handed out, by site.
    package private(set) var linears: [LinearSite] = []
    private var bound: Set<String> = []

    package init(_ source: any WeightSource, _ plan: WeightPlan) {
        (self.source, self.plan) = (source, plan)
    }

    /// The tensors below a name.
    package func callAsFunction(_ name: String) -> WeightScope {
        WeightScope(weights: self, path: name)
    }

    /// Whether the source has a tensor.
    package func has(_ name: String) -> Bool { source.has(name) }

    /// Throws if tensors are left that no layer took.
    package func finish() throws(WeightError) {
        let left = source.names.filter { !bound.contains($0) }
        guard left.isEmpty else { throw .unbound(tensors: left) }
    }

    /// Marks a tensor as known though no layer takes it.
    package func ignore(_ name: String) { bound.insert(name) }

    func parameter(
        _ name: String, _ shape: Shape, as type: DType
    ) throws(WeightError) -> Parameter {
        let value = try float(name, shape).converted(to: type)
        return Parameter(index: listed(name, shape, value), value: value)
    }

    private func listed(_ name: String, _ shape: Shape, _ value: Tensor?) -> Int {
        parameters.append(ParameterSite(name: name, shape: shape, value: value))
        return parameters.count - 1
    }

    private func float(_ name: String, _ shape: Shape) throws(WeightError) -> Tensor {
        let tensor = try source.tensor(name, shape)
        guard tensor.type.isFloat else {
            throw .wrongType(
                tensor: name, seen: tensor.type.rawValue, allowed: ["F32", "BF16", "F16"])
        }
        bound.insert(name)
        return tensor
    }

    /// - Parameters:
    ///   - path: the module's name
    ///   - shape: `[out, in]`
    ///   - stored: how the file keeps the same elements
    ///   - tied: the table that is the weight too, where the file keeps it once
    func linear(
        _ path: String, _ shape: Shape, bias: Bool, stored: Shape? = nil, tied: Parameter? = nil
    ) throws(WeightError) -> Linear {
        let (weight, index) = try weight(path, shape, stored: stored ?? shape, tied: tied)
        linears.append(
            LinearSite(path: path, stored: stored ?? shape, weight: weight, parameter: index))
        let bias =
            bias ? try parameter(path + ".bias", [shape[0]], as: .float32) : nil
        return Linear(site: linears.count - 1, weight: weight, index: index, bias: bias)
    }

    /// The weight of a linear layer and the index of its parameter; nil where it has none.
    private func weight(
        _ path: String, _ shape: Shape, stored: Shape, tied: Parameter?
    ) throws(WeightError) -> (LinearWeight, Int?) {
        if let tied { return (frozen(tied.value, path), tied.index) }
        if let packed = try source.packed(path, shape, as: plan.type) {
            bound.formUnion(packed.names)
            return (packed.weight, nil)
        }
        let name = path + ".weight"
        let value = try float(name, stored).reshaped(shape)
        guard plan.isTrainable(name) else {
            return (frozen(value, path), listed(name, stored, nil))
        }
        let kept = value.converted(to: plan.type)
        return (.plain(kept), listed(name, stored, kept.reshaped(stored)))
    }

    private func frozen(_ value: Tensor, _ path: String) -> LinearWeight {
        guard let format = plan.format(path) else {
            return .frozen(FrozenWeight(value.converted(to: plan.type)))
        }
        return .frozen(FrozenWeight(value, as: format))
    }
}

/// The tensors of a model below a name.
package struct WeightScope {
    private let weights: ModelWeights
    /// The name, in transformers' memory.
    package let path: String

    init(weights: ModelWeights, path: String) { (self.weights, self.path) = (weights, path) }

    /// The scope of a part.
    package func callAsFunction(_ name: String) -> WeightScope {
        WeightScope(weights: weights, path: path + "." + name)
    }

    /// The scope of a numbered part.
    package func callAsFunction(_ index: Int) -> WeightScope { self("\(index)") }

    /// Whether there is a tensor of that name here.
    package func has(_ name: String) -> Bool { weights.has(path + "." + name) }

    /// A tensor of this scope.
    /// - Parameter type: nil for the type of the model's rows
    package func parameter(
        _ name: String, _ shape: Shape, as type: DType? = nil
    ) throws(WeightError) -> Parameter {
        try weights.parameter(path + "." + name, shape, as: type ?? weights.plan.type)
    }

    /// The linear layer that this scope is.
    /// - Parameter stored: the shape of the weight in files, where it is not `[out, in]`
    package func linear(
        _ width: Int, to outWidth: Int, bias: Bool = false, stored: Shape? = nil
    ) throws(WeightError) -> Linear {
        try weights.linear(path, [outWidth, width], bias: bias, stored: stored)
    }

    /// The linear layer that this scope is, whose weight is the table of an embedding.
    package func linear(tiedTo table: Parameter) throws(WeightError) -> Linear {
        try weights.linear(path, table.value.shape, bias: false, tied: table)
    }
}
