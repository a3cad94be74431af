package import Base
package import Layers
package import Numerics
import TensorFiles

/// A LoRA adapter for a model: what it is made like, where its parts are, and their numbers.
package struct Adapter: Sendable {
    /// What it is made like.
    package let spec: AdapterSpec
    /// Where its parts are.
    package let sites: AdapterSites
    /// float32, by the names that PEFT's files have for them; what an optimiser changes.
    package var parameters: NamedTensors
    /// What `fovea.json` beside the adapter says of how it was trained; kept as it is.
    package var provenance: Bytes?

    /// An adapter that changes nothing yet: random numbers down, zeros up, and the modules that it
    /// holds as a whole as the model has them.
    /// - Parameter key: that of the start; each tensor is drawn under its own name
    package init(
        _ spec: AdapterSpec, starting key: RandomKey, in model: LoadedModel
    ) throws(AdapterError) {
        sites = try AdapterSites(spec, in: model)
        self.spec = spec
        let backend = model.model.backend
        var parameters = NamedTensors()
        for term in sites.terms {
            // As torch's Linear: kaiming_uniform(a = √5), which is uniform within 1 / √in.
            let width = term.downShape.count / term.rank
            let bound = 1 / Float(max(width, 1)).squareRoot()
            let drawn = Tensor.uniform([term.rank, width], key.child(term.downName), on: backend)
            parameters[term.downName] =
                (drawn * (2 * bound) + .filled(-bound, [width], on: backend))
                .reshaped(term.downShape)
            parameters[term.upName] = .filled(0, term.upShape, on: backend)
        }
        for whole in sites.wholes {
            guard let value = model.parameters[whole.index].value else {
                throw .notWhole(
                    module: whole.parameter,
                    why: "the model was loaded with its weight packed; load it as trainable")
            }
            parameters[whole.name] = value.detached().converted(to: .float32)
        }
        self.parameters = parameters
    }

    init(_ spec: AdapterSpec, _ sites: AdapterSites, _ parameters: NamedTensors) {
        (self.spec, self.sites, self.parameters) = (spec, sites, parameters)
    }

    /// For a pass that nothing is learned of.
    package var bound: BoundAdapter { sites.bound(parameters) }
}
