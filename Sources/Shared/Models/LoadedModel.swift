package import Layers
package import Numerics
import TensorFiles

/// A model from a folder as the hub has it, with the lists by which adapters and training find its
/// parts, and what turns conversations into its inputs.
package struct LoadedModel: Sendable {
    package let model: any VisionLanguageModel
    package let inputs: InputEncoder
    /// By index, as passes replace them.
    package let parameters: [ParameterSite]
    /// By site, as adapters find them.
    package let linears: [LinearSite]
    package let family: ModelFamily
    package let plan: WeightPlan

    /// Reads a folder.
    /// - Parameters:
    ///   - folder: with `config.json`, safetensors files and a tokenizer
    ///   - plan: how weights are kept
    package init(
        folder: String, _ plan: WeightPlan, on backend: any Backend
    ) throws(ModelError) {
        let files = ModelFiles(folder)
        let config = try files.config()
        let family = try ModelFamily.of(config)
        let inputs = try InputEncoder(files, config, family)
        do {
            let source = try CheckpointSource(
                try Checkpoint.reading(folder), quantisation: try files.quantisation(),
                on: backend, naming: family.name)
            try self.init(config, family, inputs, ModelWeights(source, plan))
        } catch let error as WeightError {
            throw .weights(error)
        } catch let error as ModelError {
            throw error
        } catch {
            preconditionFailure("loading a model: \(error)")
        }
    }

    /// A model whose weights come from elsewhere than its folder: random ones, for instance.
    package init(
        folder: String, weights source: any WeightSource, _ plan: WeightPlan
    ) throws(ModelError) {
        let files = ModelFiles(folder)
        let config = try files.config()
        let family = try ModelFamily.of(config)
        try self.init(
            config, family, try InputEncoder(files, config, family), ModelWeights(source, plan))
    }

    private init(
        _ config: ConfigReader, _ family: ModelFamily, _ inputs: InputEncoder,
        _ weights: ModelWeights
    ) throws(ModelError) {
        model = try family.model(config, weights)
        do { try weights.finish() } catch { throw .weights(error) }
        (self.inputs, self.family, plan) = (inputs.limited(to: model), family, weights.plan)
        (parameters, linears) = (weights.parameters, weights.linears)
    }
}

extension LoadedModel {
    /// Parameters as the model has them, for training to start from: all that the plan says may
    /// be trained and that are not packed.
    package func trainableParameters() -> NamedTensors {
        NamedTensors(
            parameters.compactMap { site in
                guard plan.isTrainable(site.name), let value = site.value else { return nil }
                return (site.name, value)
            })
    }

    /// A pass in which other values stand for some parameters.
    /// - Parameter values: by name; tracked where gradients are wanted
    package func pass(with values: NamedTensors) -> Pass {
        let pairs = parameters.enumerated().compactMap { index, site in
            values[site.name].map { (index, $0) }
        }
        return Pass().replacing(Dictionary(uniqueKeysWithValues: pairs))
    }
}

extension Checkpoint {
    fileprivate static func reading(_ folder: String) throws(WeightError) -> Checkpoint {
        do { return try Checkpoint(folder: folder) } catch { throw .file(error) }
    }
}
