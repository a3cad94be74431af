import Base
package import RPC

extension Invocation {
    /// Where the verb's server is: `--server`, its variable, or the default socket.
    package func serverAddress() throws(UsageError) -> Address {
        guard let text = settings.text("server") else {
            return .unix(
                path: RuntimeFolder.path(environment: environment) + "/\(service.name).sock")
        }
        do { return try Address(text) } catch {
            throw .badValue(
                source: settings.source("server"), seen: text,
                allowed: "unix:PATH or HOST:PORT is allowed")
        }
    }

    /// Calls `body` with a client of the verb's server, and closes it.
    package func withClient<Result: Sendable>(
        _ body: @Sendable (Client) async throws -> Result
    ) async throws -> Result {
        var configuration = ClientConfiguration()
        configuration.token = try token()
        if let path = settings.text("tls-ca") {
            configuration.tls = try ClientTLS(authoritiesPath: path)
        }
        let client = Client(try serverAddress(), configuration: configuration)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    private func token() throws(UsageError) -> String? {
        guard let path = settings.text("token-file") else { return nil }
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
