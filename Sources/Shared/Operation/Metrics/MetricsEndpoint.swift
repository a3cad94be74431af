package import Base
internal import CMicroHTTPD
import Glibc

/// The HTTP port of a service: `GET /metrics` for Prometheus, `GET /healthz` for probes that speak
/// no gRPC. libmicrohttpd serves it from a thread of its own, so that a busy scraper takes nothing
/// from the calls.
package final class MetricsEndpoint: @unchecked Sendable {
    /// What is asked when a request arrives, on the thread of the endpoint.
    package struct Content: Sendable {
        let metrics: @Sendable () -> MetricsText
        let isHealthy: @Sendable () -> Bool

        package init(
            metrics: @escaping @Sendable () -> MetricsText,
            isHealthy: @escaping @Sendable () -> Bool
        ) {
            (self.metrics, self.isHealthy) = (metrics, isHealthy)
        }
    }

    /// Limits against scrapers that hang or crowd in.
    private static let connectionsMax: UInt32 = 64
    private static let timeoutSeconds: UInt32 = 10
    private static let connectionBytesMax = 16 << 10

    /// Where it listens; the port is the real one where 0 was asked for.
    package let host: String
    package let port: Int

    private let content: Content
    /// Set by the initialiser, cleared by `stop`, which is called once.
    private var daemon: OpaquePointer?

    /// Listens and answers from now on.
    package init(host: String, port: Int, content: Content) throws(ListenerError) {
        let socket = try ListeningSocket(host: host, port: port)
        (self.host, self.port, self.content) = (host, socket.port, content)
        let context = Unmanaged.passUnretained(self).toOpaque()
        daemon = fovea_start_http(
            socket.descriptor, answerRequest, context, MetricsEndpoint.connectionsMax,
            MetricsEndpoint.timeoutSeconds, MetricsEndpoint.connectionBytesMax)
        guard daemon != nil else {
            close(socket.descriptor)
            throw .refused(host: host, port: port, why: "libmicrohttpd does not start")
        }
    }

    /// Stops answering and frees the port. Requests in progress end first.
    package func stop() {
        if let daemon { MHD_stop_daemon(daemon) }
        daemon = nil
    }

    deinit { stop() }

    /// What a request gets.
    struct Answer: Sendable, Hashable {
        let status: UInt32
        let contentType: String
        let body: String
    }

    static func answer(method: String, path: String, content: Content) -> Answer {
        guard ["/metrics", "/healthz"].contains(path) else {
            return plain(404, "not found: ask for /metrics or /healthz\n")
        }
        guard method == "GET" || method == "HEAD" else {
            return plain(405, "method not allowed: use GET\n")
        }
        if path == "/metrics" {
            return Answer(
                status: 200, contentType: MetricsText.contentType, body: content.metrics().text)
        }
        return content.isHealthy() ? plain(200, "ok\n") : plain(503, "not serving\n")
    }

    private static func plain(_ status: UInt32, _ body: String) -> Answer {
        Answer(status: status, contentType: "text/plain; charset=utf-8", body: body)
    }

    fileprivate func answer(_ connection: OpaquePointer, method: String, path: String) -> MHD_Result
    {
        let answer = MetricsEndpoint.answer(method: method, path: path, content: content)
        var body = answer.body
        let response = body.withUTF8 { bytes in
            MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                .RESPMEM_MUST_COPY)
        }
        guard let response else { return MHD_Result.NO }
        defer { MHD_destroy_response(response) }
        MHD_add_response_header(response, "Content-Type", answer.contentType)
        if answer.status == 405 { MHD_add_response_header(response, "Allow", "GET, HEAD") }
        return MHD_queue_response(connection, answer.status, response)
    }
}

/// Called by libmicrohttpd once for the head of a request and again for each piece of its body;
/// answering at the head makes it drop the body.
private func answerRequest(
    context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
    url: UnsafePointer<CChar>?, method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?,
    body: UnsafePointer<CChar>?, bodyCount: UnsafeMutablePointer<Int>?,
    state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context, let connection, let url, let method else { return MHD_Result.NO }
    let endpoint = Unmanaged<MetricsEndpoint>.fromOpaque(context).takeUnretainedValue()
    return endpoint.answer(
        connection, method: String(cString: method), path: String(cString: url))
}

/// Why the HTTP port cannot be opened.
package enum ListenerError: Failure, Hashable {
    case unresolved(host: String, why: String)
    case inUse(host: String, port: Int)
    case refused(host: String, port: Int, why: String)

    package var kind: FailureKind { .precondition }
    package var reason: String { "METRICS_PORT" }

    package var message: String {
        switch self {
        case .unresolved(let host, let why):
            "--metrics: the host '\(host)' cannot be resolved (\(why));"
                + " use a number or a known name"
        case .inUse(let host, let port):
            "--metrics: port \(port) of \(host) is in use; choose another with --metrics HOST:PORT,"
                + " port 0 for any free one, or --metrics off"
        case .refused(let host, let port, let why):
            "--metrics: cannot listen on \(host):\(port): \(why); choose another address with"
                + " --metrics HOST:PORT, or --metrics off"
        }
    }
}

/// A TCP socket that listens.
struct ListeningSocket {
    let descriptor: Int32
    let port: Int

    init(host: String, port: Int) throws(ListenerError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &found)
        guard status == 0, let found else {
            throw .unresolved(host: host, why: String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(found) }
        let info = found.pointee
        descriptor = socket(info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ListeningSocket.failure(host, port, errno) }
        var yes: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, 64) == 0
        else {
            let failure = ListeningSocket.failure(host, port, errno)
            close(descriptor)
            throw failure
        }
        self.port = ListeningSocket.boundPort(of: descriptor)
    }

    private static func failure(_ host: String, _ port: Int, _ code: Int32) -> ListenerError {
        code == EADDRINUSE
            ? .inUse(host: host, port: port)
            : .refused(host: host, port: port, why: String(cString: strerror(code)))
    }

    private static func boundPort(of descriptor: Int32) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let base = bytes.baseAddress,
                getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return 0 }
            // The port is at the same place of IPv4 and IPv6 addresses, the high byte first.
            return Int(bytes[2]) << 8 | Int(bytes[3])
        }
    }
}
