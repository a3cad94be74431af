import Base
import Foundation
import Glibc
import Messages
import RPC

/// `serve`: starts a service, waits for signals, and ends it in order.
///
/// Everything that can be wrong is found before the first socket opens, as far as that is possible;
/// where a socket cannot be opened, those before it are closed again.
struct ServeVerb {
    let invocation: Invocation
    private var service: ServiceDefinition { invocation.service }

    func run() async throws -> Verb.Outcome {
        let start = MonotonicTime.now()
        try invocation.expectNoOperands(of: "serve")
        let configuration = try ServeConfiguration(
            invocation.settings, service: service, environment: invocation.environment)
        let signals = Signals()
        ProcessSetup.raiseFileLimit()
        let running: RunningService
        do {
            running = try await RunningService.start(
                invocation, configuration, log: startLog(configuration))
        } catch let error as any Failure {
            // Whatever the failure, the configuration asked for something that cannot be had.
            throw UsageError.conflict(error.message)
        }
        running.announce(milliseconds: MonotonicTime.now().seconds(since: start) * 1_000)
        for await event in signals.events {
            switch event {
            case .reload: running.reload()
            case .stop:
                await running.stop()
                return .success
            }
        }
        return .success
    }

    private func startLog(_ configuration: ServeConfiguration) -> Log {
        let format = configuration.logFormat ?? (invocation.console.isErrorTerminal ? .text : .json)
        let writer = LogWriter(format: format)
        writer.start()
        return Log(level: configuration.logLevel, sink: writer)
            .with(Log.Field("service", .text(service.name)))
    }
}

/// A service that answers.
struct RunningService {
    let configuration: ServeConfiguration
    let log: Log
    let board: HealthBoard
    let server: Server
    let endpoint: MetricsEndpoint?
    let tls: TLSIdentity?
    let authenticator: TokenAuthenticator?
    let addresses: [Address]

    static func start(
        _ invocation: Invocation, _ configuration: ServeConfiguration, log: Log
    ) async throws -> RunningService {
        let tls = try identity(configuration)
        let authenticator = try configuration.tokensPath.map { path in
            TokenAuthenticator(try tokens(path))
        }
        let made = try prepareFolders(configuration)
        do {
            let access = Access(tls: tls, authenticator: authenticator)
            return try await start(invocation, configuration, access, log)
        } catch {
            // Nobody but this start has written there yet.
            for folder in made { try? FileManager.default.removeItem(atPath: folder) }
            throw error
        }
    }

    /// Who may call, and how the server shows who it is.
    private struct Access {
        let tls: TLSIdentity?
        let authenticator: TokenAuthenticator?
    }

    private static func start(
        _ invocation: Invocation, _ configuration: ServeConfiguration, _ access: Access, _ log: Log
    ) async throws -> RunningService {
        let service = invocation.service
        let registry = MetricsRegistry()
        let board = HealthBoard(services: service.services)
        var router = try service.compose(
            Composition(
                configuration: configuration, settings: invocation.settings,
                environment: invocation.environment, log: log, metrics: registry))
        router.registerHealth(board)
        router.registerReflection()
        let endpoint = try metricsEndpoint(configuration, registry, board)
        let server = Server(
            router: router, configuration: serverConfiguration(configuration),
            authenticator: access.authenticator,
            observer: observers(router, registry, log: log), encodeDetails: encodeDetails)
        do {
            let addresses = try listen(server, configuration, access.tls)
            board.setAll(.serving)
            return RunningService(
                configuration: configuration, log: log, board: board, server: server,
                endpoint: endpoint, tls: access.tls, authenticator: access.authenticator,
                addresses: addresses)
        } catch {
            endpoint?.stop()
            await server.drain(graceSeconds: 0)
            throw error
        }
    }

    /// Says where the service answers, and how long the start took.
    func announce(milliseconds: Double) {
        var fields = [
            Log.Field("version", .text(Build.version)),
            Log.Field("listen", .text(addresses.map(\.description).joined(separator: ","))),
        ]
        if let endpoint {
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            fields.append(Log.Field("metrics", .text("http://\(host):\(endpoint.port)/metrics")))
        }
        fields.append(Log.Field("pid", .integer(Int(getpid()))))
        fields.append(Log.Field("start_ms", .number((milliseconds * 10).rounded() / 10)))
        log.write(.info, "ready", fields)
    }

    /// Reads certificates and tokens again; what cannot be read stays as it was.
    func reload() {
        do { try tls?.reload() } catch {
            log.error("certificates not reloaded", Log.Field("error", .text(error.message)))
            return
        }
        if let path = configuration.tokensPath, let authenticator {
            do throws(UsageError) {
                authenticator.replace(with: try RunningService.tokens(path))
            } catch {
                log.error("tokens not reloaded", Log.Field("error", .text(error.message)))
                return
            }
        }
        log.info("reloaded certificates and tokens")
    }

    /// Turns new calls away, lets those in progress end, and closes everything.
    func stop() async {
        log.info("draining", Log.Field("grace_seconds", .number(configuration.drainSeconds)))
        board.shutDown()
        await server.drain(graceSeconds: configuration.drainSeconds)
        endpoint?.stop()
        log.info("stopped")
        log.flush()
    }

    private static func identity(_ configuration: ServeConfiguration) throws(TLSError)
        -> TLSIdentity?
    {
        guard let files = configuration.tls else { return nil }
        return try TLSIdentity(
            certificatePath: files.certificate, keyPath: files.key, clientCAPath: files.clientCA)
    }

    private static func tokens(_ path: String) throws(UsageError) -> TokenFile {
        let what = "the token file"
        switch SmallFile.read(path) {
        case .failure(let error):
            throw .unreadable(what: what, path: path, why: error.words)
        case .success(let bytes):
            do { return try TokenFile(parsing: String(decoding: bytes, as: UTF8.self)) } catch {
                throw .malformed(what: what, path: path, why: error.message)
            }
        }
    }

    /// Makes the folders that are missing, and returns them.
    private static func prepareFolders(_ configuration: ServeConfiguration) throws(UsageError)
        -> [String]
    {
        if let folder = configuration.runtimeFolder { try RuntimeFolder.prepare(folder) }
        let data = configuration.dataFolder
        let isNew = mkdir(data, 0o700) == 0
        guard isNew || errno == EEXIST else {
            throw .malformed(
                what: "--data", path: data,
                why: "the folder cannot be made (\(SystemError.last.words)); make it or choose"
                    + " another")
        }
        var state = stat()
        guard stat(data, &state) == 0, state.st_mode & S_IFMT == S_IFDIR,
            access(data, R_OK | W_OK | X_OK) == 0
        else {
            throw .malformed(
                what: "--data", path: data,
                why: "it is not a folder that this user can read and write; choose another")
        }
        return isNew ? [data] : []
    }

    private static func serverConfiguration(_ configuration: ServeConfiguration)
        -> ServerConfiguration
    {
        var result = ServerConfiguration()
        result.limits.messageBytesMax = configuration.messageBytesMax
        result.loops = configuration.threads
        result.allowsInsecure = configuration.isInsecure
        return result
    }

    private static func listen(
        _ server: Server, _ configuration: ServeConfiguration, _ tls: TLSIdentity?
    ) throws(AddressError) -> [Address] {
        var bound: [Address] = []
        for address in configuration.listen {
            var identity = tls
            if case .unix = address { identity = nil }
            bound.append(
                try server.listen(
                    on: address, tls: identity, socketMode: configuration.socketMode))
        }
        return bound
    }

    private static func metricsEndpoint(
        _ configuration: ServeConfiguration, _ registry: MetricsRegistry, _ board: HealthBoard
    ) throws(ListenerError) -> MetricsEndpoint? {
        guard let metrics = configuration.metrics else { return nil }
        return try MetricsEndpoint(
            host: metrics.host, port: metrics.port,
            content: MetricsEndpoint.Content(
                metrics: { registry.exposition() }, isHealthy: { board.isServing }))
    }

    /// Counts and logs calls; shows the process and the build.
    private static func observers(
        _ router: Router, _ registry: MetricsRegistry, log: Log
    ) -> CallObservers {
        let known = Services.all.filter { router.services.contains($0.name) }
        let calls = CallMetrics(
            methods: known.flatMap(\.methods).map { ($0.path, CallKind($0.kind)) })
        registry.add(calls)
        registry.add(ProcessMetrics())
        let build = registry.gauges(
            "fovea_build_info", help: "Always 1; the labels say what runs.", labels: ["version"])
        build[[Build.version]].set(1)
        let quiet = [
            Health.Service.name, ReflectionV1.ServerReflection.name,
            ReflectionV1Alpha.ServerReflection.name,
        ]
        return CallObservers(calls, CallLog(log: log, quietServices: Set(quiet)))
    }

    private static func encodeDetails(_ error: RPCError) -> Bytes? {
        error.encodedDetails
            ?? StatusDetails.encode(
                code: Int32(error.code.rawValue), message: error.message, reason: error.reason,
                domain: "fovea", facts: error.facts, details: error.details)
    }
}

extension CallKind {
    fileprivate init(_ kind: MethodKind) {
        self =
            switch kind {
            case .unary: .unary
            case .clientStream: .clientStream
            case .serverStream: .serverStream
            case .bidirectional: .bidirectional
            }
    }
}
