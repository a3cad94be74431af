import Base
package import Layers
package import Models
package import Numerics
import TensorFiles

/// What a run trains, as it is now.
package enum TrainedWeights: Sendable {
    case adapter(Adapter)
    /// Parameters of the model itself, by name.
    case parameters(NamedTensors)

    /// What training starts from.
    /// - Parameters:
    ///   - recipe: resolved
    ///   - model: loaded by the recipe's plan
    package init(
        startOf recipe: TrainingRecipe, in model: LoadedModel
    ) throws(AdapterError) {
        guard let spec = recipe.adapterSpec(for: ModelOutline(model)) else {
            self = .parameters(model.trainableParameters())
            return
        }
        let key = RandomKey(seed: recipe.seed).child("adapter")
        self = .adapter(try Adapter(spec, starting: key, in: model))
    }

    /// Their numbers.
    package var values: NamedTensors {
        switch self {
        case .adapter(let adapter): adapter.parameters
        case .parameters(let parameters): parameters
        }
    }

    /// The same with other numbers.
    package func with(_ values: NamedTensors) -> TrainedWeights {
        switch self {
        case .parameters: return .parameters(values)
        case .adapter(var adapter):
            adapter.parameters = values
            return .adapter(adapter)
        }
    }

    /// How passes find them.
    package func trained(in model: LoadedModel) -> Trained {
        switch self {
        case .adapter(let adapter): return .adapter(adapter.sites)
        case .parameters:
            let names = model.parameters.enumerated().map { ($1.name, $0) }
            return .parameters(Dictionary(names, uniquingKeysWith: { first, _ in first }))
        }
    }

    /// A pass that answers with them; nothing is recorded.
    package func pass(in model: LoadedModel) -> Pass { trained(in: model).pass(values) }
}

extension TrainedWeights {
    /// Those of a checkpoint, in place of these.
    func restored(
        from saved: SavedCheckpoint, in model: LoadedModel
    ) throws(CheckpointError) -> TrainedWeights {
        switch self {
        case .adapter(let own):
            do {
                var adapter = try Adapter(folder: saved.path, for: model)
                // The order of the parameters decides in which order squares are added.
                adapter.parameters = try own.parameters.reordered(adapter.parameters, saved)
                return .adapter(adapter)
            } catch let error as AdapterError {
                throw .adapter(error)
            } catch let error as CheckpointError {
                throw error
            } catch {
                preconditionFailure("checkpoint: \(error)")
            }
        case .parameters(let own):
            return .parameters(
                try own.reordered(try Self.parameters(of: saved, model, like: own), saved))
        }
    }

    private static func parameters(
        of saved: SavedCheckpoint, _ model: LoadedModel, like own: NamedTensors
    ) throws(CheckpointError) -> NamedTensors {
        var values = NamedTensors()
        do throws(TensorFileError) {
            let file = try Checkpoint(folder: saved.path)
            for stored in file.tensors {
                guard let name = model.family.name(stored.name), let before = own[name],
                    DType(stored.type) == before.type, stored.shape == before.shape.extents
                else { continue }
                values[name] = try file.tensor(named: stored.name).withBytes {
                    Tensor(
                        bytes: $0, shape: before.shape, type: before.type,
                        on: model.model.backend)
                }
            }
        } catch {
            throw .unreadable(file: "model.safetensors", why: error.message)
        }
        return values
    }

    /// Writes what others load: PEFT's folder, or a whole model.
    /// - Parameters:
    ///   - base: the folder of the model that training started from
    ///   - provenance: what `fovea.json` says
    func write(
        to draft: borrowing CheckpointDraft, _ model: LoadedModel, base: String,
        provenance: Bytes
    ) throws(CheckpointError) {
        switch self {
        case .adapter(var adapter):
            adapter.provenance = provenance
            try draft.write(adapter, metadata: [:])
        case .parameters(let parameters):
            try draft.write(AdapterMerge(replacing: parameters, in: model, base: base))
            try draft.write(provenance, as: AdapterFiles.provenance)
        }
    }
}

extension NamedTensors {
    /// Other values under these names, in this order.
    fileprivate func reordered(
        _ values: NamedTensors, _ saved: SavedCheckpoint
    ) throws(CheckpointError) -> NamedTensors {
        var ordered = NamedTensors()
        for (name, tensor) in self {
            guard let value = values[name], value.shape == tensor.shape else {
                throw .unreadable(
                    file: "the weights", why: "\(name) is missing or has another shape")
            }
            ordered[name] = value
        }
        guard values.count == count else {
            throw .other(
                what: "set of trained tensors", saved: "\(values.count)", wanted: "\(count)")
        }
        return ordered
    }
}
