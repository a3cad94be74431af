package import Base
import COpenSSL
import Glibc

/// Why a certificate or key cannot be used.
package enum TLSError: Failure, Hashable {
    case unreadable(file: String, why: String)
    case notACertificate(file: String, why: String)
    case notAKey(file: String, why: String)
    case keyMismatch(certificate: String, key: String)

    package var kind: FailureKind { .precondition }
    package var reason: String { "BAD_CERTIFICATE" }

    package var message: String {
        switch self {
        case .unreadable(let file, let why):
            "cannot read '\(file)' (\(why)); check the path and its permissions"
        case .notACertificate(let file, let why):
            "'\(file)' is not a PEM certificate chain (\(why))"
        case .notAKey(let file, let why):
            "'\(file)' is not a PEM private key without passphrase (\(why))"
        case .keyMismatch(let certificate, let key):
            "the key '\(key)' does not belong to the certificate '\(certificate)'"
        }
    }
}

/// A configured OpenSSL context, immutable once made.
final class TLSContext: @unchecked Sendable {
    // OpenSSL contexts are reference-counted and may be used by several threads once configured.
    let pointer: OpaquePointer

    init(adopting pointer: OpaquePointer) { self.pointer = pointer }

    deinit { SSL_CTX_free(pointer) }

    /// The newest error of OpenSSL in words.
    static func errorText() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "unknown reason" }
        return String(cString: text)
    }

    fileprivate static func make(_ method: OpaquePointer?) -> OpaquePointer {
        guard let context = SSL_CTX_new(method) else {
            preconditionFailure("TLS: OpenSSL gave no context (\(errorText()))")
        }
        // Macros of OpenSSL that Swift does not see, by their control numbers.
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_3_VERSION), nil)
        let modes =
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
            | SSL_MODE_RELEASE_BUFFERS
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(modes), nil)
        return context
    }

    /// Fails early, and by name, where OpenSSL would only say "system lib".
    fileprivate static func checkReadable(_ file: String) throws(TLSError) {
        guard access(file, R_OK) == 0 else {
            throw .unreadable(file: file, why: String(cString: strerror(errno)))
        }
    }

    fileprivate static func loadChain(
        _ context: OpaquePointer, certificate: String, key: String
    ) throws(TLSError) {
        try checkReadable(certificate)
        try checkReadable(key)
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw .notACertificate(file: certificate, why: errorText())
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 else {
            let why = errorText()
            throw why.contains("mismatch")
                ? .keyMismatch(certificate: certificate, key: key)
                : .notAKey(file: key, why: why)
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            throw .keyMismatch(certificate: certificate, key: key)
        }
    }

    fileprivate static func loadAuthorities(_ context: OpaquePointer, file: String)
        throws(TLSError)
    {
        try checkReadable(file)
        ERR_clear_error()
        guard SSL_CTX_load_verify_locations(context, file, nil) == 1 else {
            throw .notACertificate(file: file, why: errorText())
        }
    }
}

/// A server's certificate and key, and the authority that clients must come from (mTLS).
package final class TLSIdentity: Sendable {
    private let certificatePath: String
    private let keyPath: String
    private let clientCAPath: String?
    private let context: Lock<TLSContext>

    package init(certificatePath: String, keyPath: String, clientCAPath: String? = nil)
        throws(TLSError)
    {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.clientCAPath = clientCAPath
        context = Lock(
            try TLSIdentity.load(
                certificate: certificatePath, key: keyPath, clientCA: clientCAPath))
    }

    /// Reads the files again; connections made from now on use them. On an error the old ones stay.
    package func reload() throws(TLSError) {
        let fresh = try TLSIdentity.load(
            certificate: certificatePath, key: keyPath, clientCA: clientCAPath)
        context.with { $0 = fresh }
    }

    /// The context for the next connection.
    var current: TLSContext { context.with { $0 } }

    private static func load(certificate: String, key: String, clientCA: String?)
        throws(TLSError) -> TLSContext
    {
        let context = TLSContext(adopting: TLSContext.make(TLS_server_method()))
        try TLSContext.loadChain(context.pointer, certificate: certificate, key: key)
        SSL_CTX_set_alpn_select_cb(context.pointer, selectH2, nil)
        if let clientCA {
            try TLSContext.loadAuthorities(context.pointer, file: clientCA)
            SSL_CTX_set_verify(
                context.pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
            // A session resumed under other authorities would skip their check.
            SSL_CTX_ctrl(context.pointer, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
            SSL_CTX_set_num_tickets(context.pointer, 0)
        }
        return context
    }
}

/// Chooses HTTP/2; refuses the handshake of clients that do not offer it.
private let selectH2: SSL_CTX_alpn_select_cb_func = { _, out, outLength, offered, length, _ in
    guard let offered, let out, let outLength else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    var index = 0
    while index < Int(length) {
        let count = Int(offered[index])
        guard index + 1 + count <= Int(length) else { break }
        let name = UnsafeBufferPointer(start: offered + index + 1, count: count)
        if name.elementsEqual("h2".utf8) {
            out.pointee = offered + index + 1
            outLength.pointee = 2
            return SSL_TLSEXT_ERR_OK
        }
        index += 1 + count
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// How a client checks a server, and shows who it is.
package final class ClientTLS: Sendable {
    let context: TLSContext
    let serverName: String?

    /// - Parameters:
    ///   - authoritiesPath: PEM certificates to trust; nil for the system's
    ///   - certificatePath: the client's own chain, with `keyPath`, for mTLS
    ///   - serverName: the name to expect in the server's certificate; nil for the host connected to
    package init(
        authoritiesPath: String? = nil, certificatePath: String? = nil, keyPath: String? = nil,
        serverName: String? = nil
    ) throws(TLSError) {
        let context = TLSContext(adopting: TLSContext.make(TLS_client_method()))
        self.serverName = serverName
        self.context = context
        if let authoritiesPath {
            try TLSContext.loadAuthorities(context.pointer, file: authoritiesPath)
        } else {
            SSL_CTX_set_default_verify_paths(context.pointer)
        }
        if let certificatePath {
            try TLSContext.loadChain(
                context.pointer, certificate: certificatePath, key: keyPath ?? certificatePath)
        }
        SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        let protocols: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]
        SSL_CTX_set_alpn_protos(context.pointer, protocols, UInt32(protocols.count))
    }
}
