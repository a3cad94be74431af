package import Base
import CLinux
import Glibc

/// How a server behaves. Every limit is stated; see the README of operations.
package struct ServerConfiguration: Sendable {
    /// What each connection allows.
    package var limits = ConnectionLimits()
    /// Connections at one time; more are closed at once.
    package var connectionsMax = 10_000
    /// Threads that serve connections.
    package var loops = 1
    /// How long a loop polls before it blocks.
    package var spinMicroseconds = 50
    /// Whether TCP beyond loopback may be served without TLS.
    package var allowsInsecure = false

    package init() {}
}

/// A call that has ended, for logs and metrics.
package struct CallRecord: Sendable {
    package let path: MethodPath
    package let kind: CallKind
    package let code: StatusCode
    /// What the caller was told; empty for OK.
    package let message: String
    /// The error behind the message, for the log.
    package let cause: (any Error)?
    package let durationSeconds: Double
    package let messagesReceived: Int
    package let messagesSent: Int
    package let requestID: String
    package let principalName: String
    package let peer: Peer
}

/// Is told of calls, on the loop: it must not wait.
package protocol CallObserver: Sendable {
    func callStarted(_ path: MethodPath, kind: CallKind)
    func callEnded(_ record: CallRecord)
}

/// A gRPC server on any number of listeners.
///
/// Listeners may be added before and after `start`. `drain` ends it; it cannot start again.
package final class Server: Sendable {
    let hosts: [ServerLoop]
    private let configuration: ServerConfiguration
    private let listeners = Lock<[Listener]>([])
    private let nextHost = Lock(0)

    /// - Parameters:
    ///   - router: the methods served
    ///   - authenticator: checks the credentials of each call; nil lets everybody do everything
    ///   - observer: is told of each call
    ///   - encodeDetails: makes `grpc-status-details-bin` from an error; nil leaves it out
    package init(
        router: Router, configuration: ServerConfiguration = ServerConfiguration(),
        authenticator: (any Authenticator)? = nil, observer: (any CallObserver)? = nil,
        encodeDetails: @escaping @Sendable (RPCError) -> Bytes? = { $0.encodedDetails }
    ) {
        signal(SIGPIPE, SIG_IGN)
        self.configuration = configuration
        hosts = (0..<max(1, configuration.loops)).map { index in
            ServerLoop(
                name: "rpc-\(index)", router: router, configuration: configuration,
                authenticator: authenticator, observer: observer, encodeDetails: encodeDetails)
        }
    }

    /// Binds an address and serves it at once. Returns the address that clients connect to, with
    /// the port that was chosen.
    ///
    /// - Parameters:
    ///   - tls: makes every connection of this listener TLS
    ///   - socketMode: permissions of a Unix socket's file
    package func listen(
        on address: Address, tls: TLSIdentity? = nil, socketMode: UInt32 = 0o600
    ) throws(AddressError) -> Address {
        let listener = try Listener.open(
            address, allowsRemote: tls != nil || configuration.allowsInsecure,
            socketMode: socketMode)
        listeners.with { $0.append(listener) }
        let descriptor = listener.descriptor
        for host in hosts {
            host.loop.execute { host.accept(from: descriptor, tls: tls) }
        }
        return listener.address
    }

    /// Serves one end of a socket pair and returns a client on the other: for tests and for calls
    /// within a process, through the same code as every other call.
    package func connectInProcess(_ configuration: ClientConfiguration = ClientConfiguration())
        throws(AddressError) -> Client
    {
        Client(connected: try connectRawInProcess(), configuration: configuration)
    }

    /// Serves one end of a socket pair and returns the other.
    func connectRawInProcess() throws(AddressError) -> Int32 {
        guard let (mine, its) = Socket.pair() else {
            throw .refused(.unix(path: "(in process)"), why: Socket.text(errno))
        }
        let host = nextHost.with { index in
            index = (index + 1) % hosts.count
            return hosts[index]
        }
        host.loop.execute { host.adopt(mine, tls: nil, isUnix: true) }
        return its
    }

    /// Connections open now, on all loops.
    package func connectionCount() async -> Int {
        var count = 0
        for host in hosts {
            count += await host.run { $0.connectionCount }
        }
        return count
    }

    /// Stops listening, lets calls in flight finish for at most `graceSeconds`, then ends the rest
    /// and closes all connections.
    package func drain(graceSeconds: Double) async {
        let open = listeners.with { listeners in
            defer { listeners = [] }
            return listeners
        }
        for host in hosts { await host.run { $0.stopAccepting() } }
        for listener in open { listener.close() }
        await withTaskGroup(of: Void.self) { group in
            for host in hosts { group.addTask { await host.drain(graceSeconds: graceSeconds) } }
        }
        for host in hosts { host.loop.stop() }
    }
}

/// A server's share on one loop: its connections. Touched only on that loop.
final class ServerLoop: ConnectionOwner, @unchecked Sendable {
    // Mutable state is touched only on `loop`; the rest is immutable.
    let name: String
    let loop: EventLoop
    let configuration: ServerConfiguration
    let observer: (any CallObserver)?
    private let router: Router
    private let authenticator: (any Authenticator)?
    private let encodeDetails: @Sendable (RPCError) -> Bytes?
    private let budget: BufferBudget
    private var acceptors: [Acceptor] = []
    private var connections: [ObjectIdentifier: HTTP2Connection] = [:]
    private var drained: (@Sendable () -> Void)?
    private var isDraining = false

    init(
        name: String, router: Router, configuration: ServerConfiguration,
        authenticator: (any Authenticator)?, observer: (any CallObserver)?,
        encodeDetails: @escaping @Sendable (RPCError) -> Bytes?
    ) {
        self.name = name
        self.router = router
        self.configuration = configuration
        self.authenticator = authenticator
        self.observer = observer
        self.encodeDetails = encodeDetails
        loop = EventLoop(name: name, spinMicroseconds: configuration.spinMicroseconds)
        budget = BufferBudget(
            bytesMax: configuration.limits.bufferBytesMax / max(1, configuration.loops))
    }

    var connectionCount: Int { connections.count }

    /// Bytes of messages that wait to be read by handlers or sent to clients.
    var bufferedBytes: Int { budget.usedBytes }

    /// Runs `body` on the loop and returns its result.
    func run<Value: Sendable>(_ body: @escaping @Sendable (ServerLoop) -> Value) async -> Value {
        await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: body(self)) }
        }
    }

    // MARK: Connections

    func accept(from descriptor: Int32, tls: TLSIdentity?) {
        guard !isDraining else { return }
        acceptors.append(Acceptor(descriptor: descriptor, tls: tls, host: self))
    }

    func stopAccepting() {
        isDraining = true
        for acceptor in acceptors { acceptor.stop() }
        acceptors = []
    }

    /// Serves a connected socket.
    func adopt(_ descriptor: Int32, tls: TLSIdentity?, isUnix: Bool) {
        guard connections.count < configuration.connectionsMax, !isDraining else {
            Glibc.close(descriptor)
            return
        }
        let from = SocketAddress(peerOf: descriptor).hostAndPort
        let address = isUnix ? "unix:" : "\(Address.tcp(host: from.host, port: from.port))"
        let connection = HTTP2Connection(
            transport: Transport(descriptor: descriptor, serverTLS: tls?.current), loop: loop,
            isServer: true, isConnecting: false,
            peer: Peer(address: address, isUnixSocket: isUnix), limits: configuration.limits,
            budget: budget, owner: self)
        connections[ObjectIdentifier(connection)] = connection
    }

    func connectionOpened(_ connection: HTTP2Connection) {}

    func connectionDraining(_ connection: HTTP2Connection) {}

    func connectionClosed(_ connection: HTTP2Connection, why: String) {
        connections[ObjectIdentifier(connection)] = nil
        if isDraining, connections.isEmpty { reportDrained() }
    }

    // MARK: Drain

    func drain(graceSeconds: Double) async {
        await withUnsafeContinuation { continuation in
            loop.execute {
                self.drained = { continuation.resume() }
                self.beginDrain(graceSeconds)
            }
        }
    }

    private func beginDrain(_ graceSeconds: Double) {
        isDraining = true
        guard !connections.isEmpty else { return reportDrained() }
        for connection in connections.values { connection.drain() }
        _ = loop.schedule(
            GraceEnd(self), at: loop.now.advanced(bySeconds: graceSeconds))
    }

    /// Ends the calls that outlasted the grace, and the connections with them.
    fileprivate func endGrace() {
        for connection in connections.values {
            connection.abandonCalls()
            connection.close("the server is shutting down")
        }
    }

    private func reportDrained() {
        drained?()
        drained = nil
    }

    // MARK: Calls

    func connection(
        _ connection: HTTP2Connection, request: HeaderBlock, on stream: HTTP2Stream
    ) {
        guard request.isPost, request.isGRPC else {
            return refuseHTTP(connection, request, stream)
        }
        do throws(RPCError) {
            let call = try admit(connection, request, stream)
            stream.owner = call
            call.begin()
        } catch {
            var fields = HeaderList()
            fields.append(":status", "200")
            fields.append("content-type", "application/grpc")
            appendStatus(error, to: &fields)
            connection.submitTrailersOnly(stream: stream.id, fields)
            reportRefused(request, error, connection.peer)
        }
    }

    private func admit(
        _ connection: HTTP2Connection, _ request: HeaderBlock, _ stream: HTTP2Stream
    ) throws(RPCError) -> ServerCall {
        if request.isTooLarge {
            let bytesMax = configuration.limits.headerBytesMax
            throw RPCError(
                .resourceExhausted,
                "the headers take \(request.byteCount) bytes in at most \(HeaderBlock.fieldsMax)"
                    + " fields; \(bytesMax) bytes are allowed",
                reason: "HEADERS_TOO_LARGE")
        }
        guard let method = router.methods[request.path] else { throw unknownMethod(request.path) }
        let handlersMax = 2 * configuration.limits.streamsMax
        guard connection.handlersRunning < handlersMax else {
            throw RPCError(
                .resourceExhausted,
                "\(connection.handlersRunning) handlers of this connection still run, most of"
                    + " calls that were reset; \(handlersMax) are allowed",
                reason: "TOO_MANY_HANDLERS", details: [.retry(afterSeconds: 1)])
        }
        if let encoding = request.encoding, encoding != "identity", encoding != "gzip" {
            throw RPCError(
                .unimplemented, "the encoding '\(encoding)' is not known; identity and gzip are",
                reason: "UNKNOWN_ENCODING")
        }
        let principal = try authenticate(method, request, connection.peer)
        var deadline: MonotonicTime?
        if let timeout = request.timeout {
            guard let seconds = TimeoutCoding.decode(timeout) else {
                throw RPCError(
                    .invalidArgument,
                    "grpc-timeout '\(timeout)' is not one to eight digits and a unit of HMSmun",
                    reason: "BAD_TIMEOUT")
            }
            deadline = loop.now.advanced(bySeconds: seconds)
        }
        return ServerCall(
            method: method, request: request, principal: principal, connection: connection,
            stream: stream, host: self, deadline: deadline)
    }

    private func authenticate(_ method: RoutedMethod, _ request: HeaderBlock, _ peer: Peer)
        throws(RPCError) -> Principal
    {
        guard let needed = method.role, let authenticator else { return .anyone }
        let principal = try authenticator.authenticate(
            authorization: request.authorization, peer: peer)
        guard principal.may(needed) else {
            throw RPCError(
                .permissionDenied,
                "\(method.path) needs the role \(needed.rawValue); '\(principal.name)' has"
                    + " \(principal.role.rawValue)",
                reason: "ROLE_MISSING", facts: ["role": needed.rawValue])
        }
        return principal
    }

    private func unknownMethod(_ path: String) -> RPCError {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 3, router.services.contains(String(parts[1])) {
            return RPCError(
                .unimplemented, "\(parts[1]) has no method '\(parts[2].prefix(100))'",
                reason: "UNKNOWN_METHOD")
        }
        return RPCError(
            .unimplemented, "no service has the path '\(path.prefix(200))'",
            reason: "UNKNOWN_SERVICE")
    }

    /// Answers what is no gRPC at all in the terms of HTTP.
    private func refuseHTTP(
        _ connection: HTTP2Connection, _ request: HeaderBlock, _ stream: HTTP2Stream
    ) {
        var fields = HeaderList()
        fields.append(":status", request.isPost ? "415" : "405")
        if !request.isPost { fields.append("allow", "POST") }
        let error = RPCError(
            .unknown, "this is a gRPC server: POST with content-type application/grpc",
            reason: "NOT_GRPC")
        appendStatus(error, to: &fields)
        connection.submitTrailersOnly(stream: stream.id, fields)
    }

    private func reportRefused(_ request: HeaderBlock, _ error: RPCError, _ peer: Peer) {
        guard let observer else { return }
        // Unknown paths share one name, so that hostile ones cannot fill logs and metrics.
        let path =
            router.methods[request.path]?.path ?? MethodPath(service: "unknown", name: "unknown")
        observer.callStarted(path, kind: .unary)
        observer.callEnded(
            CallRecord(
                path: path, kind: .unary, code: error.code, message: error.message, cause: nil,
                durationSeconds: 0, messagesReceived: 0, messagesSent: 0,
                requestID: request.metadata["x-request-id"].map { String($0.prefix(128)) } ?? "",
                principalName: "", peer: peer))
    }

    /// Adds status, message and details of an error.
    func appendStatus(_ error: RPCError, to fields: inout HeaderList) {
        fields.append("grpc-status", String(error.code.rawValue))
        // Trailers travel in a header block: keep them below what clients take (8 KiB).
        fields.append("grpc-message", PercentCoding.encode(String(error.message.prefix(1000))))
        if let details = encodeDetails(error), details.count <= 4096 {
            fields.append("grpc-status-details-bin", Base64.encode(details))
        }
    }
}

/// A listening socket on one loop. All loops accept from the same socket; the kernel wakes one.
private final class Acceptor: LoopSource, TimerTarget {
    private let descriptor: Int32
    private let tls: TLSIdentity?
    private unowned let host: ServerLoop
    private let isUnix: Bool
    private var slot: Int?

    init(descriptor: Int32, tls: TLSIdentity?, host: ServerLoop) {
        (self.descriptor, self.tls, self.host) = (descriptor, tls, host)
        isUnix = SocketAddress(boundTo: descriptor).family == AF_UNIX
        watch()
    }

    private func watch() {
        slot = host.loop.add(
            self, descriptor: descriptor, events: EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue)
    }

    func stop() {
        if let slot { host.loop.remove(slot: slot, descriptor: descriptor) }
        slot = nil
    }

    func ready(_ events: UInt32) {
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        for _ in 0..<64 {
            let accepted = accept4(descriptor, nil, nil, flags)
            guard accepted >= 0 else {
                if errno == EMFILE || errno == ENFILE || errno == ENOMEM { pause() }
                return
            }
            if !isUnix { Socket.setNoDelay(accepted) }
            host.adopt(accepted, tls: tls, isUnix: isUnix)
        }
    }

    /// Without descriptors, accepting would spin: wait until some are free.
    private func pause() {
        stop()
        _ = host.loop.schedule(self, at: host.loop.now.advanced(bySeconds: 0.1))
    }

    func timerFired() { if slot == nil { watch() } }
}

/// The end of a drain's grace.
private final class GraceEnd: TimerTarget {
    private let host: ServerLoop

    init(_ host: ServerLoop) { self.host = host }

    func timerFired() { host.endGrace() }
}
