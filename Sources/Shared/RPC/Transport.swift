import Base
import COpenSSL
import Glibc

/// What came of an attempt to move bytes.
enum TransferResult: Equatable {
    case moved(Int)
    /// Nothing now: wait until the socket is readable.
    case wouldBlockReading
    /// Nothing now: wait until the socket is writable.
    case wouldBlockWriting
    /// The other side has ended its stream.
    case ended
    case failed(String)
}

/// A connected socket, plain or under TLS.
final class Transport {
    let descriptor: Int32
    private var tls: OpaquePointer?
    private(set) var isHandshaking: Bool

    /// A plain socket, or one whose next bytes are a TLS handshake.
    init(descriptor: Int32, serverTLS: TLSContext?) {
        self.descriptor = descriptor
        isHandshaking = false
        if let serverTLS {
            attach(serverTLS)
            SSL_set_accept_state(tls)
        }
    }

    /// A client's socket; with TLS it expects `hostName` in the server's certificate.
    init(descriptor: Int32, clientTLS: ClientTLS?, hostName: String) {
        self.descriptor = descriptor
        isHandshaking = false
        guard let clientTLS else { return }
        attach(clientTLS.context)
        SSL_set_connect_state(tls)
        let name = clientTLS.serverName ?? hostName
        if Transport.isNumeric(name) {
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), name)
        } else if !name.isEmpty {
            _ = name.withCString { text in
                SSL_ctrl(
                    tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
                    UnsafeMutableRawPointer(mutating: text))
            }
            SSL_set1_host(tls, name)
        }
    }

    deinit {
        if let tls { SSL_free(tls) }
        Glibc.close(descriptor)
    }

    private func attach(_ context: TLSContext) {
        tls = SSL_new(context.pointer)
        precondition(tls != nil, "TLS: OpenSSL gave no session (\(TLSContext.errorText()))")
        SSL_set_fd(tls, descriptor)
        isHandshaking = true
    }

    private static func isNumeric(_ host: String) -> Bool {
        var four = in_addr()
        var six = in6_addr()
        return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1
    }

    var isEncrypted: Bool { tls != nil }

    /// Decrypted bytes that wait inside TLS where epoll cannot see them.
    var hasBufferedInput: Bool {
        guard let tls else { return false }
        return SSL_pending(tls) > 0
    }

    /// The subject of the peer's verified certificate, such as `CN=ann,O=Fovea`; nil without one.
    var peerSubject: String? {
        guard let tls, let certificate = SSL_get1_peer_certificate(tls) else { return nil }
        defer { X509_free(certificate) }
        guard SSL_get_verify_result(tls) == X509_V_OK, let memory = BIO_new(BIO_s_mem()) else {
            return nil
        }
        defer { BIO_free(memory) }
        fovea_print_name(memory, X509_get_subject_name(certificate))
        var text = [UInt8](repeating: 0, count: 512)
        let count = BIO_read(memory, &text, Int32(text.count))
        return count > 0 ? String(decoding: text.prefix(Int(count)), as: UTF8.self) : nil
    }

    /// Moves the handshake on. `.moved(0)` means it is complete.
    func handshake() -> TransferResult {
        guard let tls, isHandshaking else { return .moved(0) }
        ERR_clear_error()
        let result = SSL_do_handshake(tls)
        guard result != 1 else {
            isHandshaking = false
            return .moved(0)
        }
        return tlsResult(result)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        if let tls {
            ERR_clear_error()
            let count = SSL_read(tls, buffer.baseAddress, Int32(clamping: buffer.count))
            return count > 0 ? .moved(Int(count)) : tlsResult(count)
        }
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .moved(count) }
        if count == 0 { return .ended }
        if errno == EAGAIN || errno == EINTR { return .wouldBlockReading }
        return .failed(Socket.text(errno))
    }

    /// Sends from the front of `output` and removes what was sent.
    func write(_ output: inout OutputBuffer) -> TransferResult {
        let count: Int
        if let tls {
            ERR_clear_error()
            let sent = output.withNext { piece in
                SSL_write(tls, piece.baseAddress, Int32(clamping: piece.count))
            }
            guard let sent else { return .moved(0) }
            guard sent > 0 else { return tlsResult(sent) }
            count = Int(sent)
        } else {
            count = output.send(to: descriptor)
            guard count >= 0 else {
                if errno == EAGAIN || errno == EINTR { return .wouldBlockWriting }
                return .failed(Socket.text(errno))
            }
        }
        output.consume(count)
        return .moved(count)
    }

    /// Tells the other side that nothing more comes.
    func shutdown() {
        if let tls, !isHandshaking {
            ERR_clear_error()
            SSL_shutdown(tls)
        }
        Glibc.shutdown(descriptor, Int32(SHUT_WR))
    }

    private func tlsResult(_ result: Int32) -> TransferResult {
        switch SSL_get_error(tls, result) {
        case SSL_ERROR_WANT_READ: return .wouldBlockReading
        case SSL_ERROR_WANT_WRITE: return .wouldBlockWriting
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            let verify = SSL_get_verify_result(tls)
            if verify != X509_V_OK, let text = X509_verify_cert_error_string(verify) {
                return .failed("certificate refused: \(String(cString: text))")
            }
            return .failed("TLS: \(TLSContext.errorText())")
        }
    }
}
