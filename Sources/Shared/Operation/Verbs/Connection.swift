import Base
package import RPC

/// Where a service is and how to be let in: an address, a token file and authorities among the
/// options of whoever calls it.
package struct ServiceClient {
    private let service: String
    private let prefix: String
    private let settings: Settings
    private let environment: [String: String]

    /// - Parameters:
    ///   - service: its short name, which the default socket has
    ///   - prefix: what the options' names begin with, such as `dataset-`; empty for none
    package init(
        service: String, options prefix: String = "", _ settings: Settings,
        environment: [String: String]
    ) {
        (self.service, self.prefix) = (service, prefix)
        (self.settings, self.environment) = (settings, environment)
    }

    /// The address given by an option or its variable, or that of the default socket.
    package func address() throws(UsageError) -> Address {
        guard let text = settings.text("\(prefix)server") else {
            return .unix(
                path: RuntimeFolder.path(environment: environment) + "/\(service).sock")
        }
        do { return try Address(text) } catch {
            throw .badValue(
                source: settings.source("\(prefix)server"), seen: text,
                allowed: "unix:PATH or HOST:PORT is allowed")
        }
    }

    /// A client that connects with its first call.
    package func client() throws -> Client {
        var configuration = ClientConfiguration()
        configuration.token = try token()
        if let path = settings.text("\(prefix)tls-ca") {
            configuration.tls = try ClientTLS(authoritiesPath: path)
        }
        return Client(try address(), configuration: configuration)
    }

    private func token() throws(UsageError) -> String? {
        guard let path = settings.text("\(prefix)token-file") else { return nil }
        let what = "the token file"
        switch SmallFile.read(path, bytesMax: 4_096) {
        case .failure(let error):
            throw .unreadable(what: what, path: path, why: error.words)
        case .success(let bytes):
            let words = (bytes.text ?? "").split(whereSeparator: \.isWhitespace)
            guard words.count == 1, Token(String(words[0])) != nil else {
                throw .malformed(
                    what: what, path: path,
                    why: "it must hold one token as token create printed it, and no more")
            }
            return String(words[0])
        }
    }
}

extension Invocation {
    private var serviceClient: ServiceClient {
        ServiceClient(service: service.name, settings, environment: environment)
    }

    /// Where the verb's server is: `--server`, its variable, or the default socket.
    package func serverAddress() throws(UsageError) -> Address { try serviceClient.address() }

    /// Calls `body` with a client of the verb's server, and closes it.
    package func withClient<Result: Sendable>(
        _ body: @Sendable (Client) async throws -> Result
    ) async throws -> Result {
        let client = try serviceClient.client()
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }
}
