import Base
import Layers
import Numerics
import TensorFiles

/// What every tensor of a merged checkpoint is made of.
struct MergePlan {
    private enum Origin {
        /// The base's tensor as it is.
        case copy
        /// The weight of a linear layer, with its term if it has one.
        case linear(site: Int, LowRank?)
        /// A parameter that the adapter holds.
        case whole(Tensor)
    }

    private let source: Checkpoint
    private let model: LoadedModel
    private var planned: [PlannedTensor] = []
    private var origins: [String: Origin] = [:]
    /// Whether weights that the base stores quantised are stored plain.
    private(set) var isUnpacked = false

    init(
        _ source: Checkpoint, _ adapter: Adapter, _ model: LoadedModel, _ type: DType?,
        keepsTypes: Bool
    ) throws(AdapterError) {
        (self.source, self.model) = (source, model)
        let bound = adapter.bound
        let wholes = adapter.sites.wholes.map { ($0.parameter, adapter.parameters[$0.name]) }
        let held = Dictionary(uniqueKeysWithValues: wholes)
        let weights = model.linears.enumerated().map { ($1.path + ".weight", $0) }
        let sites = Dictionary(weights, uniquingKeysWith: { $1 })
        var left = Set(adapter.sites.terms.map(\.site))
        for tensor in source.tensors {
            let name = model.family.name(tensor.name)
            if let site = model.packedSite(of: name), let name {
                left.remove(site)
                plan(packed: site, bound[site], tensor, name, type ?? model.plan.type)
            } else if let name, let value = held[name] ?? nil {
                add(tensor, .whole(value), keepsTypes ? value.type : type)
            } else if let site = name.flatMap({ sites[$0] }),
                bound[site] != nil || model.linears[site].isQuantised
            {
                left.remove(site)
                add(tensor, .linear(site: site, bound[site]), type)
            } else {
                add(tensor, .copy, nil)
            }
        }
        if let site = left.min() {
            throw .unmergeable(
                module: model.linears[site].path,
                why: "its weight is also that of the embedding; serve the adapter unmerged")
        }
    }

    private mutating func add(_ tensor: StoredTensor, _ origin: Origin, _ type: DType?) {
        let stored = type.flatMap(StoredType.init) ?? tensor.type
        planned.append(PlannedTensor(tensor.name, stored, tensor.shape))
        origins[tensor.name] = origin
    }

    /// Of the tensors that make a quantised weight, the first one stands for the plain weight.
    private mutating func plan(
        packed site: Int, _ term: LowRank?, _ tensor: StoredTensor, _ name: String, _ type: DType
    ) {
        isUnpacked = true
        let linear = model.linears[site]
        let tail = name.dropFirst(linear.path.count)
        let plain = String(tensor.name.dropLast(tail.count)) + ".weight"
        guard origins[plain] == nil else { return }
        let shape = linear.stored.extents
        planned.append(PlannedTensor(plain, StoredType(type) ?? .float32, shape))
        origins[plain] = .linear(site: site, term)
    }

    /// Writes the tensors, one after another.
    func write(to folder: String, shardBytesMax: Int) throws(AdapterError) {
        let plan: CheckpointPlan
        do {
            plan = try CheckpointPlan(
                planned, shardBytesMax: shardBytesMax, metadata: ["format": "pt"])
        } catch {
            throw .unwritable(file: "the checkpoint", why: error.message)
        }
        do {
            let writer = try CheckpointWriter(plan, folder: folder)
            for tensor in plan.tensors { try write(tensor, to: writer) }
            try writer.finish()
        } catch let error as TensorWriteError {
            throw .writing(error)
        } catch let error as TensorFileError {
            throw .file(error)
        } catch {
            preconditionFailure("merging: \(error)")
        }
    }

    private func write(_ tensor: StoredTensor, to writer: CheckpointWriter) throws {
        let value: Tensor
        switch origins[tensor.name] {
        case .copy, nil:
            return try source.tensor(named: tensor.name).withBytes { bytes in
                try writer.append(bytes, to: tensor.name)
            }
        case .whole(let tensor): value = tensor
        case .linear(let site, let term):
            let weight = try weight(of: site, tensor.name)
            value = term.map { weight + $0.matrix() } ?? weight
        }
        let type = DType(tensor.type) ?? .float32
        let bytes = value.detached().converted(to: type).bytes()
        try bytes.withUnsafeBytes { try writer.append($0, to: tensor.name) }
    }

    /// The weight that the adapter was trained on, float32 `[out, in]`.
    private func weight(of site: Int, _ name: String) throws -> Tensor {
        let linear = model.linears[site]
        if linear.isQuantised, case .frozen(let weight) = linear.weight {
            return weight.dequantised(to: .float32)
        }
        let shape = Shape([linear.outWidth, linear.width])
        return try source.tensor(named: name).withBytes { bytes in
            let stored = try source.tensor(named: name).stored.type
            guard let type = DType(stored), type.isFloat else {
                throw AdapterError.wrongType(tensor: name, seen: stored.name)
            }
            return Tensor(bytes: bytes, shape: shape, type: type, on: model.model.backend)
                .converted(to: .float32)
        }
    }
}

extension LinearSite {
    /// Whether its weight was rounded to fewer bits than a type of numbers has.
    fileprivate var isQuantised: Bool {
        guard case .frozen(let weight) = weight else { return false }
        switch weight.format {
        case .float32, .bfloat16, .float16, nil: return false
        default: return true
        }
    }
}

extension LoadedModel {
    /// The linear layer that the checkpoint keeps quantised and a tensor is a part of.
    fileprivate func packedSite(of name: String?) -> Int? {
        guard let name, !name.hasSuffix(".bias") else { return nil }
        return linears.firstIndex { $0.parameter == nil && name.hasPrefix($0.path + ".") }
    }
}

extension StoredType {
    /// The type of files for one of tensors; nil for those that weights never have.
    fileprivate init?(_ type: DType) {
        switch type {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        default: return nil
        }
    }
}
