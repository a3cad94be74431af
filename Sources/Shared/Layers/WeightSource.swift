package import Base
package import Numerics
package import TensorFiles

/// Where the tensors of a model come from, by their names in transformers' memory.
package protocol WeightSource {
    /// Whether there is such a tensor.
    func has(_ name: String) -> Bool
    /// Its elements, as the source keeps them or converted.
    /// - Parameter shape: what the model expects
    func tensor(_ name: String, _ shape: Shape) throws(WeightError) -> Tensor
    /// The weight `[out, in]` of a linear layer where the source keeps it quantised, and the names
    /// of the tensors it is made of; nil where it is one tensor.
    /// - Parameter type: the type that rows flow in
    func packed(
        _ path: String, _ shape: Shape, as type: DType
    ) throws(WeightError) -> PackedWeight?
    /// The names of all tensors; empty where any can be had.
    var names: [String] { get }
}

/// A weight of several tensors.
package struct PackedWeight {
    package let weight: LinearWeight
    package let names: [String]

    package init(weight: LinearWeight, names: [String]) {
        (self.weight, self.names) = (weight, names)
    }
}

extension WeightSource {
    package func packed(
        _ path: String, _ shape: Shape, as type: DType
    ) throws(WeightError) -> PackedWeight? { nil }
}

/// The tensors of a checkpoint.
package struct CheckpointSource: WeightSource {
    private let checkpoint: Checkpoint
    private let backend: any Backend
    /// The names in the files by those in memory.
    private let stored: [String: String]
    private let quantised: QuantisedCheckpoint
    private let naming: @Sendable (String) -> String?

    /// - Parameters:
    ///   - quantisation: what the configuration says of quantised weights
    ///   - naming: what a tensor of the files is called in transformers' memory; nil for tensors
    ///     that models make themselves, such as tables of frequencies
    package init(
        _ checkpoint: Checkpoint, quantisation: QuantisationConfig?, on backend: any Backend,
        naming: @escaping @Sendable (String) -> String?
    ) throws(WeightError) {
        var stored: [String: String] = [:]
        for tensor in checkpoint.tensors {
            guard let name = naming(tensor.name) else { continue }
            if let first = stored.updateValue(tensor.name, forKey: name) {
                throw .twice(tensor: name, first: first, second: tensor.name)
            }
        }
        (self.checkpoint, self.backend, self.stored) = (checkpoint, backend, stored)
        quantised = QuantisedCheckpoint(checkpoint, config: quantisation)
        self.naming = naming
    }

    package var names: [String] { stored.keys.sorted() }

    package func has(_ name: String) -> Bool { stored[name] != nil }

    package func tensor(_ name: String, _ shape: Shape) throws(WeightError) -> Tensor {
        let mapped = try self.mapped(name)
        guard mapped.stored.shape == shape.extents else {
            throw .wrongShape(
                tensor: name, seen: mapped.stored.shape, expected: shape.extents)
        }
        guard let type = DType(mapped.stored.type) else {
            throw .wrongType(
                tensor: name, seen: mapped.stored.type.name, allowed: DType.storedNames)
        }
        return mapped.withBytes {
            Tensor(bytes: $0, shape: shape, type: type, on: backend)
        }
    }

    package func packed(
        _ path: String, _ shape: Shape, as type: DType
    ) throws(WeightError) -> PackedWeight? {
        let parts = [
            "qweight", "weight_packed", "weight_scale", "weight_scale_inv", "SCB", "weight.absmax",
        ]
        guard let part = parts.first(where: { has(path + "." + $0) }),
            let name = stored[path + "." + part]
        else { return nil }
        let module = String(name.dropLast(part.count + 1))
        do {
            let found = try quantised.linearWeight(
                module, outWidth: shape[0], inWidth: shape[1], as: type, on: backend)
            return PackedWeight(
                weight: found.weight, names: found.consumed.compactMap { naming($0) })
        } catch {
            throw .quantised(module: path, error)
        }
    }

    /// The tensor in its file.
    package func mapped(_ name: String) throws(WeightError) -> MappedTensor {
        guard let file = stored[name] else { throw .missing(tensor: name) }
        do {
            return try checkpoint.tensor(named: file)
        } catch {
            throw .file(error)
        }
    }
}

/// Random weights, for models that are trained from nothing and for measurements: normal numbers
/// with a deviation of `1 / √width`, ones for norms, zeros for biases.
package struct RandomSource: WeightSource {
    private let key: RandomKey
    private let backend: any Backend

    /// - Parameter seed: of every tensor, each drawn under its own name
    package init(seed: UInt64, on backend: any Backend) {
        (key, self.backend) = (RandomKey(seed: seed), backend)
    }

    package var names: [String] { [] }

    package func has(_ name: String) -> Bool { true }

    package func tensor(_ name: String, _ shape: Shape) -> Tensor {
        if name.hasSuffix(".bias") { return .filled(0, shape, on: backend) }
        if shape.rank == 1, name.hasSuffix("weight") { return .filled(1, shape, on: backend) }
        let deviation = 1 / Float(max(shape.width, 1)).squareRoot()
        return Tensor.normal(shape, key.child(name), on: backend) * deviation
    }
}

extension DType {
    /// The type of a file's tensor; nil for those that models do not use.
    package init?(_ stored: StoredType) {
        switch stored {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        case .int32: self = .int32
        case .uint8: self = .uint8
        case .int8: self = .int8
        default: return nil
        }
    }

    static let storedNames = ["F32", "BF16", "F16", "I32", "U8", "I8"]
}
