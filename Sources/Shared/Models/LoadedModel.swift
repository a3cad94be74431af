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

extension Checkpoint {
    fileprivate static func reading(_ folder: String) throws(WeightError) -> Checkpoint {
        do { return try Checkpoint(folder: folder) } catch { throw .file(error) }
    }
}
