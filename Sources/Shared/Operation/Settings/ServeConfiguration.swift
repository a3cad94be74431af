package import Base
package import Glibc
package import RPC

/// What `serve` runs with, complete and checked.
package struct ServeConfiguration: Sendable {
    /// The files of a server's certificate.
    package struct TLSFiles: Sendable, Hashable {
        package let certificate, key: String
        package let clientCA: String?
    }

    /// Where the metrics are.
    package struct Endpoint: Sendable, Hashable {
        package let host: String
        package let port: Int
    }

    package let listen: [Address]
    /// The default socket's folder, to be made if it is missing; nil if addresses were given.
    package let runtimeFolder: String?
    package let dataFolder: String
    /// nil: off.
    package let metrics: Endpoint?
    package let isInsecure: Bool
    package let tls: TLSFiles?
    package let tokensPath: String?
    package let socketMode: mode_t
    package let drainSeconds: Double
    /// nil: JSON, or text on a terminal.
    package let logFormat: LogFormat?
    package let logLevel: Log.Level
    package let messageBytesMax: Int
    package let threads: Int

    /// The options of `serve`, in the order of `--help`.
    package static func options(for service: ServiceDefinition) -> [OptionSpec] {
        [
            OptionSpec(
                "listen", .list, "ADDRESS",
                "Where to answer: unix:PATH, tcp:HOST:PORT or tcp:[IPV6]:PORT; any number of"
                    + " times. Default: unix:\(RuntimeFolder.socketHint(service.name))"),
            OptionSpec(
                "data", .text, "DIR", standard: "./fovea-data", "The folder of what is kept."),
            OptionSpec(
                "metrics", .text, "HOST:PORT", standard: "127.0.0.1:\(service.metricsPort)",
                "HTTP port of /metrics and /healthz, or off."),
            OptionSpec(
                "config", .text, "FILE", "JSON object; flags and variables win."),
            OptionSpec(
                "tokens", .text, "FILE",
                "Who may call: lines made by '\(service.executable) token create'."),
            OptionSpec("tls-certificate", .text, "FILE", "PEM certificate chain for TCP."),
            OptionSpec("tls-key", .text, "FILE", "PEM key of the certificate."),
            OptionSpec(
                "tls-client-ca", .text, "FILE",
                "PEM authorities; clients must have a certificate of theirs (mTLS)."),
            OptionSpec(
                "insecure", .flag, "",
                "Allow TCP beyond this machine without TLS, or without tokens."),
            OptionSpec(
                "socket-mode", .text, "OCTAL", standard: "0600", "File mode of Unix sockets."),
            OptionSpec(
                "message-bytes-max", .bytes(1_024...(2 << 30) - 1), "BYTES", standard: "64MiB",
                "Largest message taken or sent."),
            OptionSpec(
                "threads", .integer(1...256), "N", standard: "1",
                "Event loops; one serves over 100,000 calls a second."),
            OptionSpec(
                "drain-seconds", .seconds(0...3_600), "SECONDS", standard: "30",
                "How long calls in progress may take after SIGTERM."),
            OptionSpec(
                "log-level", .choice(Log.Level.allCases.map(\.name)), "LEVEL", standard: "info",
                "debug, info, warning or error."),
            OptionSpec(
                "log-format", .choice(["auto", "json", "text"]), "FORMAT", standard: "auto",
                "json, text, or auto: text on a terminal."),
        ]
    }

    /// - Parameters:
    ///   - settings: values of the options above
    ///   - environment: for the folder of the default socket
    package init(
        _ settings: Settings, service: ServiceDefinition, environment: [String: String]
    ) throws(UsageError) {
        let folder = RuntimeFolder.path(environment: environment)
        if settings.has("listen") {
            listen = try ServeConfiguration.addresses(settings)
            runtimeFolder = nil
        } else {
            listen = [.unix(path: "\(folder)/\(service.name).sock")]
            runtimeFolder = folder
        }
        dataFolder = settings.text("data") ?? ""
        metrics = try ServeConfiguration.endpoint(settings)
        isInsecure = settings.flag("insecure")
        tls = try ServeConfiguration.tlsFiles(settings)
        tokensPath = settings.text("tokens")
        socketMode = try ServeConfiguration.mode(settings)
        drainSeconds = settings.number("drain-seconds") ?? 30
        logFormat = settings.text("log-format").flatMap(LogFormat.init(rawValue:))
        logLevel =
            Log.Level.allCases.first { $0.name == settings.text("log-level") } ?? .info
        messageBytesMax = settings.byteCount("message-bytes-max") ?? 64 << 20
        threads = settings.integer("threads") ?? 1
        try checkAccess()
    }

    /// Callers from other machines must be known, or be welcome by an explicit word.
    private func checkAccess() throws(UsageError) {
        guard tokensPath == nil, tls?.clientCA == nil, !isInsecure else { return }
        for address in listen {
            guard case .tcp(let host, _) = address, !ServeConfiguration.isLoopback(host) else {
                continue
            }
            throw .conflict(
                "\(address) is open to other machines and nobody would be asked who they are;"
                    + " give --tokens FILE or --tls-client-ca FILE, or --insecure if the network is"
                    + " trusted")
        }
    }

    static func isLoopback(_ host: String) -> Bool {
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return host.hasPrefix("127.") }
        return host == "::1" || host == "localhost"
    }

    private static func addresses(_ settings: Settings) throws(UsageError) -> [Address] {
        var addresses: [Address] = []
        for text in settings.list("listen") {
            let address: Address
            do { address = try Address(text) } catch { throw .conflict(error.message) }
            let isRepeated = addresses.contains(address)
            if case .tcp(_, port: 0) = address {
            } else if isRepeated {
                throw .badValue(
                    source: settings.source("listen"), seen: text, allowed: "give it once")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func endpoint(_ settings: Settings) throws(UsageError) -> Endpoint? {
        guard let text = settings.text("metrics"), text != "off" else { return nil }
        guard !text.hasPrefix("unix:"), let address = try? Address(text),
            case .tcp(let host, let port) = address
        else {
            throw .badValue(
                source: settings.source("metrics"), seen: text,
                allowed: "HOST:PORT with a port from 0 to 65535, or off, is allowed")
        }
        return Endpoint(host: host, port: port)
    }

    private static func tlsFiles(_ settings: Settings) throws(UsageError) -> TLSFiles? {
        switch (settings.text("tls-certificate"), settings.text("tls-key")) {
        case (let certificate?, let key?):
            return TLSFiles(
                certificate: certificate, key: key, clientCA: settings.text("tls-client-ca"))
        case (nil, nil):
            guard !settings.has("tls-client-ca") else {
                throw .missing(
                    option: "--tls-certificate",
                    why: "--tls-client-ca needs --tls-certificate and --tls-key")
            }
            return nil
        case (_?, nil):
            throw .missing(option: "--tls-key", why: "--tls-certificate needs its key")
        case (nil, _?):
            throw .missing(option: "--tls-certificate", why: "--tls-key needs its certificate")
        }
    }

    private static func mode(_ settings: Settings) throws(UsageError) -> mode_t {
        let text = settings.text("socket-mode") ?? "0600"
        guard let mode = mode_t(text, radix: 8), mode <= 0o777, mode & 0o600 == 0o600 else {
            throw .badValue(
                source: settings.source("socket-mode"), seen: text,
                allowed: "an octal file mode from 0600 to 0777 that lets the owner read and write"
                    + " is allowed")
        }
        return mode
    }
}

/// The folder of sockets whose place nobody chose.
package enum RuntimeFolder {
    /// `$XDG_RUNTIME_DIR/fovea`, else `/tmp/fovea-UID`.
    package static func path(environment: [String: String]) -> String {
        if let base = environment["XDG_RUNTIME_DIR"], base.hasPrefix("/") { return base + "/fovea" }
        return "/tmp/fovea-\(getuid())"
    }

    /// The same in words, for `--help`, which is the same for everybody.
    static func socketHint(_ name: String) -> String {
        "$XDG_RUNTIME_DIR/fovea/\(name).sock, else /tmp/fovea-UID/\(name).sock"
    }

    /// Makes the folder, for its owner alone, or checks that the one there is.
    package static func prepare(_ path: String) throws(UsageError) {
        if mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else {
            throw .malformed(
                what: "the socket folder", path: path,
                why: "it cannot be made (\(SystemError.last.words)); choose a socket with --listen")
        }
        var state = stat()
        guard lstat(path, &state) == 0, state.st_mode & S_IFMT == S_IFDIR,
            state.st_uid == getuid(), state.st_mode & 0o077 == 0
        else {
            throw .malformed(
                what: "the socket folder", path: path,
                why: "it is not a folder that belongs to this user alone (mode 0700); remove it or"
                    + " choose a socket with --listen")
        }
    }
}
