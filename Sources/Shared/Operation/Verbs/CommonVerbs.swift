package import Base
import Messages
import RPC

/// What this build calls itself.
package enum Build {
    package static let version = "0.1.0"
}

extension Verb {
    /// The verbs of every service.
    static func common(for service: ServiceDefinition) -> [Verb] {
        [serve(service), health(service), token(service), version(service)]
    }

    private static func serve(_ service: ServiceDefinition) -> Verb {
        let command = "\(service.executable) serve"
        return Verb(
            "serve", "Run the service until SIGTERM.",
            options: ServeConfiguration.options(for: service) + service.serveOptions,
            examples: [
                (command, "Answer this user's programs on the default Unix socket."),
                (
                    "\(command) --listen unix:/run/fovea/\(service.name).sock"
                        + " --listen tcp:127.0.0.1:\(service.port) --data /var/lib/fovea",
                    "A Unix socket and TCP for this machine."
                ),
                (
                    "\(command) --listen tcp:0.0.0.0:\(service.port) --tls-certificate server.pem"
                        + " --tls-key server.key --tokens tokens.txt",
                    "TCP for other machines: encrypted, and each caller has a token."
                ),
            ]
        ) { try await ServeVerb(invocation: $0).run() }
    }

    private static func health(_ service: ServiceDefinition) -> Verb {
        Verb(
            "health", "Ask a running server whether it is ready; exit code 0 if it is.",
            operands: "[SERVICE]", options: clientOptions(for: service),
            examples: [
                ("\(service.executable) health", "The server on the default Unix socket."),
                (
                    "\(service.executable) health --server 127.0.0.1:\(service.port) --json",
                    "A server on TCP, as JSON."
                ),
            ]
        ) { try await HealthVerb(invocation: $0).run() }
    }

    private static func token(_ service: ServiceDefinition) -> Verb {
        Verb(
            "token", "Make a secret for a caller, and the line that lets it in.",
            operands: "create",
            options: [
                OptionSpec("name", .text, "NAME", from: .flag, "Who will use the token."),
                OptionSpec(
                    "role", .choice(Role.allCases.map(\.rawValue)), "ROLE", from: .flag,
                    "What it may do: \(Role.names). Each includes those before it."),
                OptionSpec(
                    "expires", .text, "DATE", from: .flag,
                    "Last day, UTC, as YYYY-MM-DD. Default: never."),
                OptionSpec("json", .flag, from: .flag, "Print JSON for programs."),
            ],
            examples: [
                (
                    "\(service.executable) token create --name labelling --role annotator"
                        + " --expires 2027-06-30",
                    "Prints the token, once, and the line for the --tokens file. Send SIGHUP to the"
                        + " server after adding the line."
                )
            ]
        ) { try TokenVerb(invocation: $0).run() }
    }

    private static func version(_ service: ServiceDefinition) -> Verb {
        Verb(
            "version", "Print the version.",
            options: [OptionSpec("json", .flag, from: .flag, "Print JSON for programs.")]
        ) { invocation in
            try invocation.expectNoOperands(of: "version")
            if invocation.wantsJSON {
                invocation.printJSON { json in
                    json.member("name", service.executable)
                    json.member("version", Build.version)
                }
            } else {
                invocation.console.output("\(service.executable) \(Build.version)\n")
            }
            return .success
        }
    }
}

extension Invocation {
    /// Prints one JSON object on a line.
    package func printJSON(_ members: (inout JSONText) -> Void) {
        var json = JSONText()
        json.object(members)
        json.newline()
        console.output(json.text)
    }

    /// Throws if there are words that are not options.
    package func expectNoOperands(of verb: String) throws(UsageError) {
        if let operand = operands.first {
            throw .unexpectedArgument(operand, verb: verb, allowed: "it takes options only")
        }
    }
}

/// `health`: asks a running server.
struct HealthVerb {
    let invocation: Invocation

    func run() async throws -> Verb.Outcome {
        guard invocation.operands.count <= 1 else {
            throw UsageError.unexpectedArgument(
                invocation.operands[1], verb: "health", allowed: "one name of a service is allowed")
        }
        let service = invocation.operands.first ?? ""
        var request = Health.HealthCheckRequest()
        request.service = service
        let seconds = invocation.settings.number("timeout-seconds") ?? 10
        let start = MonotonicTime.now()
        let response = try await invocation.withClient { [request] client in
            try await client.call(
                Health.Service.check, request, options: CallOptions(timeoutSeconds: seconds))
        }
        let milliseconds = MonotonicTime.now().seconds(since: start) * 1_000
        report(service, response.status, milliseconds: (milliseconds * 1_000).rounded() / 1_000)
        return response.status == .serving ? .success : .failure
    }

    private func report(
        _ service: String, _ status: Health.HealthCheckResponse.ServingStatus,
        milliseconds: Double
    ) {
        if invocation.wantsJSON {
            invocation.printJSON { json in
                json.member("service", service)
                json.member("status", status.description)
                json.member("milliseconds", milliseconds)
            }
        } else {
            var table = TextTable("SERVICE", "STATUS", "MILLISECONDS")
            table.add(service.isEmpty ? "(all)" : service, status.description, "\(milliseconds)")
            invocation.console.output(table.text)
        }
    }
}

/// `token create`: makes a secret.
struct TokenVerb {
    let invocation: Invocation

    func run() throws -> Verb.Outcome {
        guard invocation.operands == ["create"] else {
            throw UsageError.unexpectedArgument(
                invocation.operands.first { $0 != "create" } ?? "nothing", verb: "token",
                allowed: "write token create --name NAME --role ROLE")
        }
        var randomness = SystemEntropy()
        let token = Token(randomness: &randomness)
        let hash = token.hashed(salt: Token.bytes(16, &randomness))
        let line = TokenFile.line(
            name: try name(), role: try role(), hash: hash, expires: try expires())
        if invocation.wantsJSON {
            invocation.printJSON { json in
                json.member("token", token.text)
                json.member("line", line)
            }
        } else {
            invocation.console.output(
                """
                Token, shown only now; keep it secret:
                \(token.text)

                Line for the --tokens file:
                \(line)

                """)
        }
        return .success
    }

    private func name() throws(UsageError) -> String {
        guard let name = invocation.settings.text("name") else {
            throw .missing(option: "--name", why: "say who will use the token")
        }
        guard TokenFile.isValidName(name) else {
            throw .badValue(
                source: .flag("--name"), seen: name,
                allowed: "up to 64 letters, digits, - _ . @ are allowed")
        }
        return name
    }

    private func role() throws(UsageError) -> Role {
        guard let role = invocation.settings.text("role").flatMap(Role.init(rawValue:)) else {
            throw .missing(option: "--role", why: "one of \(Role.names) is allowed")
        }
        return role
    }

    private func expires() throws(UsageError) -> CivilDate? {
        guard let text = invocation.settings.text("expires") else { return nil }
        guard let day = CivilDate(text) else {
            throw .badValue(
                source: .flag("--expires"), seen: text,
                allowed: "a day such as 2027-06-30 is allowed")
        }
        return day
    }
}
