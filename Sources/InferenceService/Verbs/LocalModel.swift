import Base
import Generation
import Images
import Layers
import Models
import Numerics
import Operation
import Text

/// A model that a verb runs by itself, without a server.
struct LocalModel {
    let model: LoadedModel
    let folder: String
    let backend: CPUBackend
    let type: DType
    let adapter: RequestAdapter?
    let loadSeconds: Double

    /// What picks and prepares a model.
    static let options = [
        OptionSpec("model", .text, "DIR", from: .flag, "The model's folder, as the hub has it."),
        OptionSpec(
            "adapter", .text, "DIR", from: .flag, "A LoRA adapter's folder, as PEFT writes it."),
        OptionSpec(
            "type", .choice(["float32", "bfloat16", "float16"]), "TYPE", from: .flag,
            "In what to compute. Default: as the folder says."),
        OptionSpec(
            "quantize", .choice(["none", "nf4", "int8", "int4"]), "FORMAT", standard: "none",
            from: .flag, "How to keep the layers of the language model."),
        OptionSpec(
            "cache", .choice(["full", "int8"]), "FORMAT", standard: "full", from: .flag,
            "How to keep keys and values."),
        OptionSpec(
            "image", .list, "FILE", from: .flag,
            "JPEG, PNG, WebP or TIFF; repeat it for more, in order."),
    ]

    init(_ settings: Settings) throws {
        guard let folder = settings.text("model") else {
            throw UsageError.missing(option: "--model", why: "say which folder holds the model")
        }
        let start = MonotonicTime.now()
        backend = try CPUBackend()
        self.folder = folder
        type = try settings.text("type").flatMap(DType.init(rawValue:)) ?? Self.type(of: folder)
        model = try LoadedModel(
            folder: folder, .serving(type, format: Self.format(settings.text("quantize"))),
            on: backend)
        adapter = try settings.text("adapter").map { [model] folder in
            RequestAdapter(
                name: folder, terms: try Adapter(folder: folder, for: model).bound)
        }
        loadSeconds = MonotonicTime.now().seconds(since: start)
    }

    /// The prompt of one question about images, for an answer.
    func input(_ settings: Settings, prompt: String) throws -> ModelInput {
        let pictures = try settings.list("image").map(Self.picture)
        let question = ChatMessage(
            .user, pictures.map { _ in .image } + [.text(prompt)])
        let system = settings.text("system").map { [ChatMessage(.system, $0)] } ?? []
        return try model.inputs.input(system + [question], pictures, forGeneration: true)
    }

    /// What answers prompts of one request.
    /// - Parameters:
    ///   - rows: of the prompt and the longest answer together
    func generator(_ settings: Settings, rows: Int) -> Generator {
        let pageRows = 64
        let wanted = min(rows, model.model.decoder.config.lengthMax + pageRows)
        let limits = SchedulerLimits(
            pages: BlockTable.pages(forRows: max(wanted, 1), pageRows: pageRows),
            pageRows: pageRows)
        return Generator(model, limits, compressesCache: settings.text("cache") == "int8")
    }

    private static func picture(_ path: String) throws -> RGBImage {
        let limits = ImageLimits()
        switch SmallFile.read(path, bytesMax: limits.bytesMax + 1) {
        case .failure(let error):
            throw UsageError.unreadable(what: "image", path: path, why: error.words)
        case .success(let bytes):
            do {
                return try DecodedImage(decoding: bytes).image
            } catch {
                throw UsageError.malformed(what: "image", path: path, why: error.message)
            }
        }
    }

    static func type(of folder: String) throws -> DType {
        let config = try ModelFiles(folder).config()
        for reader in [config, config.object("text_config")].compactMap({ $0 }) {
            for field in ["dtype", "torch_dtype"] where reader[field] != nil {
                let type = DType(rawValue: try reader.text(field))
                if let type, type.isFloat { return type }
            }
        }
        return .float32
    }

    static func format(_ name: String?) -> WeightFormat? {
        switch name {
        case "nf4": .nf4
        case "int8": .int8
        case "int4": .int4(group: 128, asymmetric: true)
        default: nil
        }
    }
}
