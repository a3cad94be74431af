import Base
import Digests
import Foundation
import Generation
import Layers
import Messages
import Models
import Numerics
import Operation
import Text

/// The model of a server with all that answers its calls.
final class ServedModel: Sendable {
    let model: LoadedModel
    let facts: ModelFacts
    let engine: Engine
    let limits: SchedulerLimits
    let images = ImageStore(bytesMax: InferenceLimits.imageStoreBytes)
    let shelf: AdapterShelf
    let stopTokens: Set<Int32>
    let metrics: ServingMetrics
    let tenants: TenantBook
    private let preparers: [Preparer]
    /// How many requests were prepared, and how many are being prepared now.
    private let prepared = Lock((all: 0, now: 0))

    /// Loads the model and opens what is known of adapters.
    init(_ settings: ServingSettings, _ registry: MetricsRegistry) throws {
        tenants = TenantBook(try settings.tenantsFile.map { try Tenant.list(inFile: $0) })
        let backend = try CPUBackend()
        let type = try settings.type ?? LocalModel.type(of: settings.folder)
        model = try LoadedModel(
            folder: settings.folder,
            .serving(type, format: LocalModel.format(settings.quantise)), on: backend)
        facts = try ModelFacts(settings, model, type)
        stopTokens = try GenerationDefaults(
            folder: settings.folder, model.inputs.chat.tokenizer
        ).stopTokens
        limits = settings.limits(model.model)
        engine = Engine(model, limits, compressesCache: settings.compressesCache)
        metrics = ServingMetrics(registry, model: facts.name, engine: engine)
        preparers = [Preparer(model.inputs, images), Preparer(model.inputs, images)]
        shelf = try AdapterShelf(
            AdapterLoader(model, engine, settings), InferenceStore(folder: settings.dataFolder),
            residentMax: settings.adaptersMax)
    }

    /// Prepares a request on one of the threads for that; turned away if too many wait for them.
    func prepare<Value: Sendable>(
        _ body: @Sendable (Preparer) async throws -> Value
    ) async throws -> Value {
        let (turn, now) = prepared.with { state in
            state.all += 1
            state.now += 1
            return (state.all, state.now)
        }
        defer { prepared.with { $0.now -= 1 } }
        guard now <= limits.waitingMax else {
            throw InferenceError.queueFull(waiting: now, waitingMax: limits.waitingMax)
        }
        return try await body(preparers[turn % preparers.count])
    }
}

/// What is said about a model.
struct ModelFacts: Sendable {
    /// "models/{model}".
    let name: String
    let architecture: String
    let digest: String
    let type: DType
    let quantise: String
    let compressesCache: Bool
    let loadNanoseconds: Int64
    let device: String

    init(_ settings: ServingSettings, _ model: LoadedModel, _ type: DType) throws {
        name = Self.name(of: settings.folder)
        architecture = try ModelFiles(settings.folder).config().text("model_type")
        digest = try Self.digest(of: settings.folder, keptIn: settings.dataFolder)
        (self.type, quantise) = (type, settings.quantise)
        compressesCache = settings.compressesCache
        loadNanoseconds = WallClock.nanoseconds()
        device = "cpu"
    }

    var weightFormat: Messages.WeightFormat {
        switch quantise {
        case "nf4": .nf4
        case "int8": .int8
        case "int4": .int4
        default: Self.format(of: type)
        }
    }

    var cacheFormat: Messages.WeightFormat { compressesCache ? .int8 : Self.format(of: type) }

    private static func format(of type: DType) -> Messages.WeightFormat {
        switch type {
        case .bfloat16: .bfloat16
        case .float16: .float16
        default: .float32
        }
    }

    /// The folder's name, as far as names of resources allow.
    private static func name(of folder: String) -> String {
        let last = URL(filePath: folder).standardizedFileURL.lastPathComponent.lowercased()
        let kept = last.utf8.map { byte in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) ? byte : 0x2d
        }
        let id = String(decoding: kept, as: UTF8.self).drop { !("a"..."z").contains($0) }
        return "models/" + (id.isEmpty ? "base" : String(id.prefix(63)))
    }

    /// Of configuration, tokenizer and weights. Reading all weights takes as long as the disk
    /// needs, so the digest is kept until a file changes its size or its time.
    private static func digest(of folder: String, keptIn data: String) throws -> String {
        let files = FileManager.default
        let names = try files.contentsOfDirectory(atPath: folder).filter { name in
            [".json", ".safetensors", ".model", ".jinja", ".txt"].contains(where: name.hasSuffix)
        }
        .sorted()
        let stamps = try names.map { name in
            let path = URL(filePath: "\(folder)/\(name)").resolvingSymlinksInPath().path
            let state = try files.attributesOfItem(atPath: path)
            let time = (state[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            return "\(name) \(state[.size] as? Int ?? 0) \(time)\n"
        }
        let stamp = Bytes(folder + "\n" + stamps.joined()).withUnsafeBytes {
            SHA256.digest($0).hex
        }
        let path = "\(data)/model-digest"
        let kept = (try? SmallFile.read(path).get())?.text?.split(separator: " ") ?? []
        if kept.count == 2, kept[0] == stamp { return String(kept[1]) }
        let digest = try FolderDigest.digest(of: names, in: folder).hex
        try Data("\(stamp) \(digest)".utf8).write(to: URL(filePath: path), options: .atomic)
        return digest
    }
}
