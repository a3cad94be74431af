package import Layers
package import Numerics

/// Where the parts of an adapter are in a model.
package struct AdapterSites: Sendable {
    /// A term of a linear layer.
    package struct Term: Sendable {
        /// The linear layer's number.
        package let site: Int
        /// Its path.
        package let path: String
        /// R
        package let rank: Int
        /// alpha / R, or alpha / √R
        package let scale: Float
        /// `[R, in]` and `[out, R]`; of a convolution as files have them.
        package let downShape: Shape, upShape: Shape

        /// What its tensors are called in PEFT's files, which is what trainers call them too.
        package var downName: String { AdapterNames.prefix + path + ".lora_A.weight" }
        /// What the second one is called.
        package var upName: String { AdapterNames.prefix + path + ".lora_B.weight" }

        init(_ index: Int, _ site: LinearSite, rank: Int, scale: Float) {
            (self.site, path, self.rank, self.scale) = (index, site.path, rank, scale)
            downShape = site.stored.withRows(rank)
            upShape = Shape(
                [site.outWidth, rank] + Array(repeating: 1, count: site.stored.rank - 2))
        }
    }

    /// A parameter that the adapter holds as a whole.
    package struct Whole: Sendable {
        /// The parameter's number.
        package let index: Int
        /// What it is called in the model.
        package let parameter: String
        /// As the model has it.
        package let shape: Shape
        /// What its layer wants; the adapter's own copy is float32.
        package let type: DType

        /// What it is called in PEFT's files.
        package var name: String { AdapterNames.prefix + parameter }
    }

    /// In the order of the model's layers.
    package let terms: [Term]
    /// In the order of the model's parameters.
    package let wholes: [Whole]
    /// Elements of all parameters of the model.
    package let modelCount: Int

    /// Elements that training changes.
    package var trainableCount: Int {
        terms.reduce(0) { $0 + $1.downShape.count + $1.upShape.count }
            + wholes.reduce(0) { $0 + $1.shape.count }
    }

    /// The share of all parameters, the adapter's included, that training changes.
    package var trainableShare: Double {
        Double(trainableCount) / Double(max(modelCount + trainableCount, 1))
    }

    /// Finds what a specification is about in a model.
    package init(_ spec: AdapterSpec, in model: LoadedModel) throws(AdapterError) {
        try spec.check()
        let matcher = try ModuleMatcher(spec)
        let terms = try matcher.sites(of: model).map { (site) throws(AdapterError) in
            let name = [model.linears[site].path]
            return try Term(
                site, model.linears[site], rank: matcher.rank(of: name),
                scale: matcher.scale(of: name))
        }
        let wholes = model.parameters.indices.filter {
            matcher.holds(parameter: model.parameters[$0].name)
        }
        guard !terms.isEmpty || !wholes.isEmpty else {
            throw .noTargets(seen: "\(spec.targets)", known: model.layerNames)
        }
        self.init(terms: terms, wholes: wholes, in: model)
    }

    init(terms: [Term], wholes: [Int], in model: LoadedModel) {
        self.terms = terms.sorted { $0.site < $1.site }
        self.wholes = wholes.sorted().map { index in
            Whole(
                index: index, parameter: model.parameters[index].name,
                shape: model.parameters[index].shape,
                type: model.parameters[index].value?.type ?? model.plan.type)
        }
        modelCount = model.parameterCount
    }

    /// Every name and shape, terms first.
    package var tensors: [(name: String, shape: Shape)] {
        terms.flatMap { [($0.downName, $0.downShape), ($0.upName, $0.upShape)] }
            + wholes.map { ($0.name, $0.shape) }
    }

    /// The terms over parameters, for a pass.
    /// - Parameter parameters: by the names of `tensors`, of its shapes; tracked for training
    package func bound(_ parameters: NamedTensors) -> BoundAdapter {
        func tensor(_ name: String, _ shape: Shape) -> Tensor {
            guard let tensor = parameters[name], tensor.shape == shape else {
                preconditionFailure("adapter: \(name) of \(shape) is missing")
            }
            return tensor
        }
        let pairs = terms.map { term in
            let down = tensor(term.downName, term.downShape)
            let up = tensor(term.upName, term.upShape)
            return (
                term.site, LowRank(down: down.matrix, up: up.matrix, scale: term.scale)
            )
        }
        let values = wholes.map { whole in
            (whole.index, tensor(whole.name, whole.shape).converted(to: whole.type))
        }
        return BoundAdapter(
            terms: Dictionary(uniqueKeysWithValues: pairs),
            replacements: Dictionary(uniqueKeysWithValues: values))
    }
}

extension Tensor {
    /// Rows of all inner axes: `[a, b, c]` as `[a, b · c]`.
    var matrix: Tensor {
        shape.rank == 2 ? self : reshaped([shape[0], shape.count / max(shape[0], 1)])
    }
}

extension ModuleMatcher {
    /// The numbers of the linear layers that get a term.
    func sites(of model: LoadedModel) throws(AdapterError) -> [Int] {
        var sites: [Int] = []
        for (index, site) in model.linears.enumerated()
        where try isTarget(
            site.path, isHead: index == model.model.decoder.head.site,
            isConvolution: site.isConvolution)
        { sites.append(index) }
        return sites
    }
}

extension LoadedModel {
    /// Elements of all parameters, tied ones counted once.
    package var parameterCount: Int {
        parameters.reduce(0) { $0 + $1.shape.count }
            + linears.reduce(0) { $0 + ($1.parameter == nil ? $1.stored.count : 0) }
    }

    /// The last parts of the paths of linear layers, for messages.
    var layerNames: [String] {
        Set(linears.map { String($0.path.split(separator: ".").last ?? "") }).sorted()
    }
}

extension AdapterSpec {
    /// Checks what does not depend on a model.
    func check() throws(AdapterError) {
        for rank in [rank] + ranks.map(\.number) where !(1...Self.rankMax).contains(rank) {
            throw .outOfRange(field: "r", seen: "\(rank)", allowed: "1 to \(Self.rankMax)")
        }
        for alpha in [alpha] + alphas.map(\.number) where !(alpha.isFinite && alpha > 0) {
            throw .outOfRange(field: "lora_alpha", seen: "\(alpha)", allowed: "a number above 0")
        }
        guard dropout >= 0, dropout < 1 else {
            throw .outOfRange(
                field: "lora_dropout", seen: "\(dropout)", allowed: "from 0 to below 1")
        }
    }
}
