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
        let value = try float(name, shape)
        return listed(name, value.converted(to: type), isTrainable: true)
    }

    private func listed(_ name: String, _ value: Tensor, isTrainable: Bool) -> Parameter {
        parameters.append(
            ParameterSite(name: name, shape: value.shape, isTrainable: isTrainable))
        return Parameter(index: parameters.count - 1, value: value)
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
        let site = linears.count
        linears.append(LinearSite(path: path, width: shape[1], outWidth: shape[0]))
        let bias =
            bias ? try parameter(path + ".bias", [shape[0]], as: .float32) : nil
        if let tied {
            return frozen(tied.value, path, site: site, bias, index: tied)
        }
        if let packed = try source.packed(path, shape, as: plan.type) {
            bound.formUnion(packed.names)
            return Linear(site: site, weight: packed.weight, bias: bias)
        }
        let name = path + ".weight"
        let value = try float(name, stored ?? shape).reshaped(shape)
        let isTrainable = plan.isTrainable(name)
        if isTrainable {
            let parameter = listed(name, value.converted(to: plan.type), isTrainable: true)
            return Linear(
                site: site, weight: .plain(parameter.value), trained: parameter, bias: bias)
        }
        _ = listed(name, value, isTrainable: false)
        return frozen(value, path, site: site, bias, index: nil)
    }

    private func frozen(
        _ value: Tensor, _ path: String, site: Int, _ bias: Parameter?, index: Parameter?
    ) -> Linear {
        let weight: FrozenWeight
        if let format = plan.format(path) {
            weight = FrozenWeight(value, as: format)
        } else {
            weight = FrozenWeight(value.converted(to: plan.type))
        }
        return Linear(site: site, weight: .frozen(weight), trained: index, bias: bias)
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
