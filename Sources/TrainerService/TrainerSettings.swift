import Base
import Operation
import RPC

/// What the trainer is told beside what every service is.
struct TrainerSettings: Sendable {
    let modelRoots: [String]
    let datasets: Client
    let rowCacheBytes: Int
    let pricePerHour: Double

    static let options = [
        OptionSpec(
            "models", .list, "DIR",
            "A folder below which models may be registered; any number of times. Default: models"
                + " in the data folder."),
        OptionSpec(
            "dataset-server", .text, "ADDRESS", from: .variable("FOVEA_DATASET"),
            "The dataset service: unix:PATH or HOST:PORT. Default: its default socket."),
        OptionSpec(
            "dataset-token-file", .text, "FILE", "A file that holds the token to send there."),
        OptionSpec(
            "dataset-tls-ca", .text, "FILE", "PEM authorities to trust: turns TLS on for it."),
        OptionSpec(
            "row-cache-bytes", .bytes(0...1 << 50), "BYTES", standard: "4GiB",
            "Rows kept on this disk; images beyond that are fetched each time."),
        OptionSpec(
            "price-per-hour", .number(0...1_000_000), "PRICE", standard: "0",
            "Of this server, in US dollars, for costs of jobs."),
    ]

    init(_ composition: Composition) throws {
        let settings = composition.settings
        let given = settings.list("models")
        modelRoots =
            given.isEmpty ? ["\(composition.configuration.dataFolder)/models"] : given
        rowCacheBytes = settings.byteCount("row-cache-bytes") ?? TrainerLimits.rowsCachedBytes
        pricePerHour = settings.number("price-per-hour") ?? 0
        datasets = try ServiceClient(
            service: "dataset", options: "dataset-", settings, environment: composition.environment
        ).client()
    }
}
