package import Base
package import RPC

/// What one executable is: a service, and the verbs that call it.
package struct ServiceDefinition: Sendable {
    /// Short, such as `dataset`.
    package let name: String
    /// One sentence for `--help`.
    package let summary: String
    /// The default TCP port, where TCP is asked for, and that of the metrics.
    package let port, metricsPort: Int
    /// The full names of its own gRPC services.
    package let services: [String]
    /// The verbs of this service; those that every service has are added.
    package let verbs: [Verb]
    /// Puts the service together. Called once, by `serve`, before anything listens; what it throws
    /// ends the start.
    package let compose: @Sendable (Composition) throws -> Router
    /// Options of `serve` that only this service has.
    package var serveOptions: [OptionSpec] = []

    /// Describes a service; each part is as its property says.
    package init(
        name: String, summary: String, ports: (service: Int, metrics: Int),
        services: [String], verbs: [Verb],
        compose: @escaping @Sendable (Composition) throws -> Router
    ) {
        (self.name, self.summary) = (name, summary)
        (port, metricsPort) = ports
        (self.services, self.verbs, self.compose) = (services, verbs, compose)
    }

    /// `fovea-dataset`.
    package var executable: String { "fovea-\(name)" }
    /// `FOVEA_DATASET`: the address that clients of this service use.
    package var addressVariable: String { "FOVEA_\(name.uppercased())" }

    /// Its own verbs after those of every service.
    var allVerbs: [Verb] { Verb.common(for: self) + verbs }
}

/// One word of the command line and what it does.
package struct Verb: Sendable {
    /// How a verb ends, as the shell sees it.
    package enum Outcome: Int32, Sendable {
        case success = 0
        case failure = 1
        case badUsage = 2
    }

    package let name: String
    /// One line for the list of verbs.
    package let summary: String
    /// The words after the verb that are not options, such as `FILE...`; empty for none.
    package let operands: String
    package let options: [OptionSpec]
    /// Commands that can be copied, each with a word on what it does.
    package let examples: [(command: String, meaning: String)]
    /// nil for a verb that a later release brings.
    let run: (@Sendable (Invocation) async throws -> Outcome)?

    package init(
        _ name: String, _ summary: String, operands: String = "", options: [OptionSpec] = [],
        examples: [(command: String, meaning: String)] = [],
        run: @escaping @Sendable (Invocation) async throws -> Outcome
    ) {
        (self.name, self.summary, self.operands) = (name, summary, operands)
        (self.options, self.examples, self.run) = (options, examples, run)
    }

    /// A verb that a later release brings: listed, so that people see what is coming, and refused.
    package static func later(_ name: String, _ summary: String) -> Verb {
        Verb(later: name, summary)
    }

    private init(later name: String, _ summary: String) {
        (self.name, self.summary, operands) = (name, summary, "")
        (options, examples, run) = ([], [], nil)
    }

    /// The options of a verb that calls a running server.
    package static func clientOptions(for service: ServiceDefinition) -> [OptionSpec] {
        [
            OptionSpec(
                "server", .text, "ADDRESS", from: .variable(service.addressVariable),
                "unix:PATH or HOST:PORT. Default: the socket that serve uses by default."),
            OptionSpec(
                "token-file", .text, "FILE", "A file that holds the token to send, and no more."),
            OptionSpec(
                "tls-ca", .text, "FILE",
                "PEM authorities to trust: turns TLS on for HOST:PORT."),
            OptionSpec(
                "timeout-seconds", .seconds(0.001...86_400), "SECONDS", standard: "10",
                from: .flag, "How long to wait for an answer."),
            OptionSpec("json", .flag, from: .flag, "Print JSON for programs."),
        ]
    }
}

/// What a service is put together from.
package struct Composition: Sendable {
    package let configuration: ServeConfiguration
    /// Values of the service's own options among them.
    package let settings: Settings
    package let environment: [String: String]
    package let log: Log
    package let metrics: MetricsRegistry
}

/// What a verb has to work with.
package struct Invocation: Sendable {
    package let service: ServiceDefinition
    package let settings: Settings
    package let environment: [String: String]
    package let console: Console

    /// Words that are not options.
    package var operands: [String] { settings.positionals }
    /// Whether the result is for a program.
    package var wantsJSON: Bool { settings.flag("json") }
}
