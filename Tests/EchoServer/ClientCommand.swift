import Base
import RPC

/// `fovea-echo client`.
struct ClientCommand {
    private let arguments: Arguments

    init(_ arguments: Arguments) { self.arguments = arguments }

    /// Tries each case and says how it went. Returns the exit code.
    func run() async throws -> Int32 {
        guard let server = arguments["--server"] else {
            throw UsageError(message: "--server is missing")
        }
        guard !arguments.operands.isEmpty else {
            throw UsageError(message: "name a case: \(ClientCase.names)")
        }
        let cases = try arguments.operands.map { name throws(UsageError) in
            guard let found = ClientCase.all.first(where: { $0.name == name }) else {
                throw UsageError(message: "no case '\(name)'; there are: \(ClientCase.names)")
            }
            return found
        }
        let client = Client(try Address(server), configuration: try configuration())
        var failures = 0
        for each in cases {
            do {
                try await each.body(client)
                Command.say("ok \(each.name)")
            } catch {
                failures += 1
                Command.say("FAILED \(each.name): \(error)")
            }
        }
        await client.close()
        return failures == 0 ? 0 : 1
    }

    private func configuration() throws -> ClientConfiguration {
        var configuration = ClientConfiguration()
        // Room for the fields beside a payload of 64 MiB.
        configuration.limits.messageBytesMax = 65 << 20
        guard let authorities = arguments["--tls-ca"] else { return configuration }
        configuration.tls = try ClientTLS(
            authoritiesPath: authorities, certificatePath: arguments["--tls-certificate"],
            keyPath: arguments["--tls-key"], serverName: arguments["--tls-server-name"])
        return configuration
    }
}
