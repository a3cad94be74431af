import Base
package import RPC

/// Recognises callers by their token or their client certificate.
///
/// A check is one look-up by the public part of the token and one SHA-256 (under a microsecond).
/// The set of tokens can be replaced while calls arrive.
package final class TokenAuthenticator: Authenticator {
    private let file: Lock<TokenFile>
    private let unixSeconds: @Sendable () -> Int64

    /// - Parameter unixSeconds: the time, for tokens that expire
    package init(
        _ file: TokenFile, unixSeconds: @escaping @Sendable () -> Int64 = { WallClock.seconds() }
    ) {
        self.file = Lock(file)
        self.unixSeconds = unixSeconds
    }

    /// Uses these tokens from the next call on.
    package func replace(with fresh: TokenFile) { file.with { $0 = fresh } }

    package func authenticate(authorization: String?, peer: Peer) throws(RPCError) -> Principal {
        guard let authorization else { return try certificateHolder(peer) }
        guard authorization.utf8.count <= 256,
            let text = TokenAuthenticator.bearer(authorization), let token = Token(text)
        else {
            throw .unauthenticated(
                "CREDENTIALS_INVALID",
                "the authorization header is not 'Bearer fovea_...'; send the token as it was"
                    + " made")
        }
        let entry = file.with { $0.tokens[token.id] }
        guard let entry, entry.hash?.matches(token) == true else {
            throw .unauthenticated(
                "CREDENTIALS_INVALID",
                "this server does not know the token; ask its operator for one")
        }
        return try valid(entry)
    }

    private func certificateHolder(_ peer: Peer) throws(RPCError) -> Principal {
        guard let subject = peer.certificateSubject else {
            throw .unauthenticated(
                "CREDENTIALS_MISSING",
                "this server needs a token: send the header 'authorization: Bearer TOKEN'")
        }
        guard let entry = file.with({ $0.certificates[subject] }) else {
            throw .unauthenticated(
                "CREDENTIALS_INVALID",
                "this server has no role for the certificate of '\(subject)'; send a token, or"
                    + " ask its operator to add the subject")
        }
        return try valid(entry)
    }

    private func valid(_ entry: TokenFile.Entry) throws(RPCError) -> Principal {
        guard entry.isExpired(at: unixSeconds()) else { return entry.principal }
        throw .unauthenticated(
            "CREDENTIALS_INVALID",
            "the token of '\(entry.principal.name)' has expired; ask for a new one")
    }

    /// What follows `Bearer `, in any case of letters.
    private static func bearer(_ header: String) -> String? {
        guard header.utf8.count > 7, header.prefix(7).lowercased() == "bearer " else { return nil }
        return String(header.dropFirst(7))
    }
}

extension RPCError {
    fileprivate static func unauthenticated(_ reason: String, _ message: String) -> RPCError {
        RPCError(.unauthenticated, message, reason: reason)
    }
}
