import Base
import Messages
import Operation
import RPC
import TestSupport

/// `fovea-echo serve`.
struct ServeCommand {
    private let arguments: Arguments

    init(_ arguments: Arguments) { self.arguments = arguments }

    /// Serves until SIGTERM, then drains. Returns the exit code.
    func run() async throws -> Int32 {
        let signals = Signals()
        ProcessSetup.raiseFileLimit()
        let drainSeconds = try arguments.number("--drain-seconds", otherwise: 10)
        let tls = try identity()
        let board = HealthBoard(services: [EchoTest.Echo.name])
        let server = Server(
            router: router(board), configuration: try configuration(),
            authenticator: arguments.has("--tokens") ? RoleTokens() : nil,
            encodeDetails: ServeCommand.encodeDetails)
        let addresses = arguments.all("--listen")
        guard !addresses.isEmpty else { throw UsageError(message: "--listen is missing") }
        var listening: [Address] = []
        for text in addresses {
            listening.append(try server.listen(on: Address(text), tls: tls))
        }
        board.setAll(.serving)
        for address in listening { Command.say("listening \(address)") }
        for await event in signals.events {
            if event == .stop { break }
            reload(tls)
        }
        board.shutDown()
        await server.drain(graceSeconds: drainSeconds)
        return 0
    }

    private func configuration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.loops = Int(try arguments.number("--threads", otherwise: 1))
        configuration.limits.messageBytesMax = Int(
            try arguments.number(
                "--message-bytes-max", otherwise: Double(configuration.limits.messageBytesMax)))
        return configuration
    }

    private func identity() throws -> TLSIdentity? {
        guard let certificate = arguments["--tls-certificate"] else { return nil }
        return try TLSIdentity(
            certificatePath: certificate, keyPath: arguments["--tls-key"] ?? certificate,
            clientCAPath: arguments["--tls-client-ca"])
    }

    private func reload(_ tls: TLSIdentity?) {
        do throws(TLSError) { try tls?.reload() } catch { Command.complain(error.message) }
    }

    private func router(_ board: HealthBoard) -> Router {
        var router = Router()
        let echo = EchoService(isImmediate: arguments.has("--immediate")) { path in
            Command.say("cancelled \(path)")
        }
        echo.register(in: &router)
        router.registerHealth(board)
        router.registerReflection()
        return router
    }

    private static func encodeDetails(_ error: RPCError) -> Bytes? {
        error.encodedDetails
            ?? StatusDetails.encode(
                code: Int32(error.code.rawValue), message: error.message, reason: error.reason,
                domain: "fovea", facts: error.facts, details: error.details)
    }
}

/// Knows one token for each role: `ROLE-token`.
struct RoleTokens: Authenticator {
    func authenticate(authorization: String?, peer: Peer) throws(RPCError) -> Principal {
        let role = Role.allCases.first { authorization == "Bearer \($0.rawValue)-token" }
        guard let role else {
            throw RPCError(
                .unauthenticated, "send the header 'authorization: Bearer ROLE-token'",
                reason: "CREDENTIALS_INVALID")
        }
        return Principal(name: role.rawValue, role: role)
    }
}
