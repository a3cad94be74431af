import Base
import Glibc
import Layers
import Numerics
import TensorFiles

/// Names of the files of an adapter.
package enum AdapterFiles {
    /// What it is made like.
    package static let config = "adapter_config.json"
    /// What the names of files of tensors begin with.
    package static let stem = "adapter_model"
    /// The file of tensors.
    package static let tensors = stem + ".safetensors"
    /// How it was trained, written by the trainer.
    package static let provenance = "fovea.json"
}

extension Adapter {
    /// Reads a folder that PEFT wrote, or this product. Every tensor finds its place in the model
    /// and every place its tensor, or the folder is refused.
    package init(folder: String, for model: LoadedModel) throws(AdapterError) {
        let files = ModelFiles(folder)
        let spec = try AdapterSpec(try files.adapterConfig())
        let file: Checkpoint
        do {
            file = try Checkpoint(folder: folder, stem: AdapterFiles.stem)
        } catch {
            throw .file(error)
        }
        let parts = try AdapterParts(file, model)
        let sites = try parts.sites(spec, in: model)
        var parameters = NamedTensors()
        for (name, shape) in sites.tensors {
            parameters[name] = try parts.tensor(name, shape, on: model.model.backend)
        }
        self.init(spec, sites, parameters)
        provenance = try files.provenance()
    }

    /// Writes a folder that PEFT reads. What is there already is replaced, file by file.
    /// - Parameters:
    ///   - folder: exists
    ///   - metadata: free text for the file of tensors
    package func write(
        to folder: String, metadata: [String: String] = [:]
    ) throws(AdapterError) {
        try writeTensors(folder, metadata)
        try Self.write(spec.json(), to: folder, as: AdapterFiles.config)
        if let provenance {
            try Self.write(provenance, to: folder, as: AdapterFiles.provenance)
        }
    }

    private func writeTensors(
        _ folder: String, _ metadata: [String: String]
    ) throws(AdapterError) {
        let planned = parameters.map { name, tensor in
            PlannedTensor(name, .float32, tensor.shape.extents)
        }
        let layout: TensorFileLayout
        do throws(FormatError) {
            layout = try TensorFileLayout(
                planned, metadata: metadata.merging(["format": "pt"]) { $1 })
        } catch {
            throw .unwritable(file: AdapterFiles.tensors, why: error.message)
        }
        do throws(TensorWriteError) {
            let writer = try TensorFileWriter(layout, at: "\(folder)/\(AdapterFiles.tensors)")
            for tensor in layout.tensors {
                guard let value = parameters[tensor.name] else {
                    preconditionFailure("adapter: \(tensor.name) is planned and not there")
                }
                let bytes = Bytes(value.converted(to: .float32).bytes())
                try bytes.withUnsafeBytes { (bytes) throws(TensorWriteError) in
                    try writer.append(bytes, to: tensor.name)
                }
            }
            try writer.finish()
        } catch {
            throw .writing(error)
        }
    }

    private static func write(
        _ bytes: Bytes, to folder: String, as name: String
    ) throws(AdapterError) {
        do {
            try WholeFile.write(bytes, to: folder, as: name)
        } catch {
            throw .writing(error)
        }
    }
}

extension ModelFiles {
    fileprivate func adapterConfig() throws(AdapterError) -> ConfigReader {
        do throws(ModelError) {
            guard let config = try json(AdapterFiles.config) else {
                throw ModelError.unreadable(
                    file: AdapterFiles.config, why: "not found; is this the folder of an adapter?")
            }
            return config
        } catch {
            throw .config(error)
        }
    }

    /// What says how the adapter was trained; nil where nothing does.
    fileprivate func provenance() throws(AdapterError) -> Bytes? {
        let (name, bytesMax) = (AdapterFiles.provenance, 1 << 20)
        switch SmallFile.read("\(path)/\(name)", bytesMax: bytesMax + 1) {
        case .failure(let error) where error.code == ENOENT: return nil
        case .failure(let error): throw .config(.unreadable(file: name, why: error.words))
        case .success(let bytes):
            guard bytes.count <= bytesMax else {
                throw .outOfRange(
                    field: name, seen: "over \(bytesMax) bytes", allowed: "\(bytesMax) bytes")
            }
            return bytes
        }
    }
}

/// The tensors of an adapter's file by what they stand for.
private struct AdapterParts {
    private let file: Checkpoint
    private var names: [String: AdapterNames] = [:]
    /// The tensors of the file by the names that they have in memory.
    private var stored: [String: String] = [:]
    private let linears: [String: Int]
    private let parameters: [String: Int]

    init(_ file: Checkpoint, _ model: LoadedModel) throws(AdapterError) {
        self.file = file
        linears = Dictionary(
            model.linears.enumerated().map { ($1.path, $0) }, uniquingKeysWith: { $1 })
        parameters = Dictionary(
            model.parameters.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
        var unbound: [String] = []
        for tensor in file.tensors {
            guard let name = AdapterNames(tensor.name, naming: model.family.name),
                index(of: name) != nil
            else {
                unbound.append(tensor.name)
                continue
            }
            if let first = stored.updateValue(tensor.name, forKey: name.canonical) {
                throw .twice(tensor: name.canonical, first: first, second: tensor.name)
            }
            names[name.canonical] = name
        }
        guard unbound.isEmpty else {
            throw .unbound(tensors: unbound, count: file.tensors.count)
        }
    }

    private func index(of name: AdapterNames) -> Int? {
        name.part == .whole ? parameters[name.name] : linears[name.name]
    }

    /// Where the tensors belong, if none is missing.
    func sites(_ spec: AdapterSpec, in model: LoadedModel) throws(AdapterError) -> AdapterSites {
        let matcher = try ModuleMatcher(spec)
        var (sites, wholes) = ([Int: AdapterNames](), [Int]())
        for name in names.values {
            guard let index = index(of: name) else { continue }
            if name.part == .whole { wholes.append(index) } else { sites[index] = name }
        }
        for site in try matcher.sites(of: model) where sites[site] == nil {
            sites[site] = AdapterNames(
                AdapterNames.prefix + model.linears[site].path + ".lora_A.weight", naming: { $0 })
        }
        wholes += model.parameters.indices.filter {
            !wholes.contains($0) && matcher.holds(parameter: model.parameters[$0].name)
        }
        var terms: [AdapterSites.Term] = []
        for (site, name) in sites {
            let names = [name.name, name.storedName]
            terms.append(
                AdapterSites.Term(
                    site, model.linears[site], rank: try matcher.rank(of: names),
                    scale: try matcher.scale(of: names)))
        }
        let found = AdapterSites(terms: terms, wholes: wholes, in: model)
        let missing = found.tensors.map(\.name).filter { stored[$0] == nil }
        guard missing.isEmpty else { throw .missing(tensors: missing) }
        guard !found.tensors.isEmpty else {
            throw .noTargets(seen: "\(spec.targets)", known: model.layerNames)
        }
        return found
    }

    func tensor(
        _ name: String, _ shape: Shape, on backend: any Backend
    ) throws(AdapterError) -> Tensor {
        let mapped: MappedTensor
        do {
            mapped = try file.tensor(named: stored[name] ?? name)
        } catch {
            throw .file(error)
        }
        guard mapped.stored.shape == shape.extents else {
            throw .wrongShape(
                tensor: mapped.stored.name, seen: mapped.stored.shape, expected: shape.extents)
        }
        guard let type = DType(mapped.stored.type), type.isFloat else {
            throw .wrongType(tensor: mapped.stored.name, seen: mapped.stored.type.name)
        }
        return mapped.withBytes { Tensor(bytes: $0, shape: shape, type: type, on: backend) }
            .converted(to: .float32)
    }
}

extension AdapterNames {
    /// What trainers and files of today call the tensor.
    fileprivate var canonical: String {
        switch part {
        case .down: Self.prefix + name + ".lora_A.weight"
        case .up: Self.prefix + name + ".lora_B.weight"
        case .whole: Self.prefix + name
        }
    }
}
