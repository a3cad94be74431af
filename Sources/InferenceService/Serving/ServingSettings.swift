import Base
import Generation
import Layers
import Models
import Numerics
import Operation

/// What `serve` runs a model with.
struct ServingSettings: Sendable {
    let folder: String
    let type: DType?
    let quantise: String
    let compressesCache: Bool
    let cachePages: Int?
    let cacheBytes: Int
    let sequencesMax: Int
    let waitingMax: Int
    let adapterRoots: [String]
    let adaptersMax: Int
    let dataFolder: String
    /// Who may ask for what, and how much; nil for everybody, everything.
    var tenantsFile: String?

    static let options = [
        OptionSpec(
            "model", .text, "DIR",
            "The folder of the model to serve. Without it every call says what to do."),
        OptionSpec(
            "type", .choice(["float32", "bfloat16", "float16"]), "TYPE",
            "In what to compute. Default: as the folder says."),
        OptionSpec(
            "quantize", .choice(["none", "nf4", "int8", "int4"]), "FORMAT", standard: "none",
            "How to keep the layers of the language model."),
        OptionSpec(
            "cache", .choice(["full", "int8"]), "FORMAT", standard: "full",
            "How to keep keys and values."),
        OptionSpec(
            "cache-pages", .integer(1...1 << 24), "COUNT",
            "Pages of keys and values, of 64 tokens each. Default: what --cache-bytes holds."),
        OptionSpec(
            "cache-bytes", .bytes(1...1 << 44), "BYTES", standard: "1GiB",
            "Memory for keys and values."),
        OptionSpec(
            "sequences-max", .integer(1...1024), "COUNT", standard: "64",
            "Answers that are written at once."),
        OptionSpec(
            "waiting-max", .integer(1...1 << 16), "COUNT", standard: "1024",
            "Answers that may wait; more are turned away."),
        OptionSpec(
            "adapter-root", .list, "DIR",
            "A folder below which adapters may be loaded; repeat it for more."),
        OptionSpec(
            "adapters-max", .integer(1...1 << 16), "COUNT", standard: "64",
            "Adapters kept in memory; others are read when they are asked for."),
        OptionSpec(
            "tenants", .text, "FILE",
            "A JSON list of tenants with their tokens, adapters and quotas."),
    ]

    /// - Parameter folder: of the model
    init(_ settings: Settings, folder: String, dataFolder: String) {
        (self.folder, self.dataFolder) = (folder, dataFolder)
        type = settings.text("type").flatMap(DType.init(rawValue:))
        quantise = settings.text("quantize") ?? "none"
        compressesCache = settings.text("cache") == "int8"
        cachePages = settings.integer("cache-pages")
        cacheBytes = settings.byteCount("cache-bytes") ?? 1 << 30
        sequencesMax = settings.integer("sequences-max") ?? 64
        waitingMax = settings.integer("waiting-max") ?? 1024
        adapterRoots = settings.list("adapter-root")
        adaptersMax = settings.integer("adapters-max") ?? 64
        tenantsFile = settings.text("tenants")
    }

    /// A model for tests, in float32 with a small cache.
    init(
        folder: String, dataFolder: String, cachePages: Int, sequencesMax: Int = 16,
        waitingMax: Int = 64, adapterRoots: [String] = []
    ) {
        (self.folder, self.dataFolder, self.cachePages) = (folder, dataFolder, cachePages)
        (self.sequencesMax, self.waitingMax) = (sequencesMax, waitingMax)
        self.adapterRoots = adapterRoots
        (type, quantise, compressesCache) = (.float32, "none", false)
        (cacheBytes, adaptersMax) = (1 << 30, 2)
    }

    /// What the scheduler shares out: no more pages than the sequences can ever need.
    func limits(_ model: any VisionLanguageModel) -> SchedulerLimits {
        let pageRows = 64
        let perSequence = BlockTable.pages(
            forRows: model.decoder.config.lengthMax, pageRows: pageRows)
        let pageBytes = KeyValueCache(
            for: model, pages: 1, pageRows: pageRows, compressed: compressesCache
        ).byteCount
        let pages = cachePages ?? min(cacheBytes / pageBytes, perSequence * sequencesMax)
        return SchedulerLimits(
            pages: max(1, pages), pageRows: pageRows, rowsPerStepMax: max(1024, sequencesMax),
            sequencesMax: sequencesMax, waitingMax: waitingMax)
    }
}
