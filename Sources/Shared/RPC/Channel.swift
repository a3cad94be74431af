import Base
import CLinux
import Glibc

/// A client's way to one server: at most one connection, made when needed, made again when lost.
/// Touched only on its loop, but for `let`s.
final class Channel: ConnectionOwner, TimerTarget, @unchecked Sendable {
    private enum State {
        case idle
        case connecting(HTTP2Connection)
        case ready(HTTP2Connection)
        /// Waiting before the next attempt; `error` is why the last one failed.
        case backingOff(error: RPCError)
        case closed
    }

    private struct Waiter {
        let id: Int
        let waitsForReady: Bool
        let continuation: UnsafeContinuation<Result<HTTP2Connection, RPCError>, Never>
    }

    let loop: EventLoop
    let configuration: ClientConfiguration
    private let address: Address?
    private let budget: BufferBudget
    private var state = State.idle
    private var waiters: [Waiter] = []
    private var nextWaiter = 0
    private var failures = 0
    private var alternatives: [SocketAddress] = []
    /// Connections that only finish their calls.
    private var leaving: [ObjectIdentifier: HTTP2Connection] = [:]
    private var closed: [@Sendable () -> Void] = []

    init(address: Address?, configuration: ClientConfiguration, loop: EventLoop) {
        self.address = address
        self.configuration = configuration
        self.loop = loop
        budget = BufferBudget(bytesMax: configuration.limits.bufferBytesMax)
    }

    /// The name of the server in requests.
    var authority: String {
        switch address {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix, nil: "localhost"
        }
    }

    /// A connection that takes calls.
    ///
    /// - Parameter waitsForReady: whether to outlast failed attempts until the deadline
    func connection(waitsForReady: Bool, deadline: MonotonicTime?) async throws(RPCError)
        -> HTTP2Connection
    {
        if case .ready(let connection) = state, connection.takesStreams { return connection }
        let id = nextWaiter
        nextWaiter += 1
        let timer = deadline.map { loop.schedule(WaiterTimeout(self, id), at: $0) }
        defer { if let timer { loop.cancel(timer) } }
        let result: Result<HTTP2Connection, RPCError> = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                waiters.append(
                    Waiter(id: id, waitsForReady: waitsForReady, continuation: continuation))
                advance()
            }
        } onCancel: {
            loop.submit {
                self.fail(
                    id, RPCError(.cancelled, "the call was cancelled", reason: "CALL_CANCELLED"))
            }
        }
        return try result.get()
    }

    /// Does what the waiters need in the present state.
    private func advance() {
        switch state {
        case .ready(let connection) where connection.takesStreams:
            let ready = waiters
            waiters = []
            for waiter in ready { waiter.continuation.resume(returning: .success(connection)) }
        case .ready(let connection):
            retire(connection)
            connect()
        case .idle: connect()
        case .connecting: break
        case .backingOff(let error): failWaiters(error, all: false)
        case .closed:
            failWaiters(
                RPCError(.cancelled, "the client is closed", reason: "CLIENT_CLOSED"), all: true)
        }
    }

    private func failWaiters(_ error: RPCError, all: Bool) {
        let failing = waiters.filter { all || !$0.waitsForReady }
        waiters.removeAll { all || !$0.waitsForReady }
        for waiter in failing { waiter.continuation.resume(returning: .failure(error)) }
    }

    fileprivate func fail(_ id: Int, _ error: RPCError) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).continuation.resume(returning: .failure(error))
    }

    // MARK: Connecting

    private func connect() {
        guard let address else {
            state = .closed
            return advance()
        }
        do throws(AddressError) {
            switch address {
            case .unix(let path): alternatives = [SocketAddress(unixPath: path)]
            case .tcp(let host, let port):
                alternatives = try Socket.resolve(host: host, port: port, listening: false)
            }
        } catch {
            return connectFailed(error.message)
        }
        tryNextAddress("no address")
    }

    private func tryNextAddress(_ why: String) {
        guard !alternatives.isEmpty else { return connectFailed(why) }
        var target = alternatives.removeFirst()
        let descriptor = Socket.make(for: target)
        guard descriptor >= 0 else { return connectFailed(Socket.text(errno)) }
        if target.family != AF_UNIX { Socket.setNoDelay(descriptor) }
        let length = target.length
        let result = target.withPointer { Glibc.connect(descriptor, $0, length) }
        guard result == 0 || errno == EINPROGRESS else {
            let why = Socket.text(errno)
            Glibc.close(descriptor)
            return tryNextAddress(why)
        }
        state = .connecting(adopt(descriptor, isConnecting: result != 0))
    }

    /// Uses a socket that is connected already.
    func use(connected descriptor: Int32) {
        state = .connecting(adopt(descriptor, isConnecting: false))
    }

    private func adopt(_ descriptor: Int32, isConnecting: Bool) -> HTTP2Connection {
        var host = ""
        if case .tcp(let name, _) = address { host = name }
        return HTTP2Connection(
            transport: Transport(
                descriptor: descriptor, clientTLS: configuration.tls, hostName: host),
            loop: loop, isServer: false, isConnecting: isConnecting,
            peer: Peer(address: address?.description ?? "unix:", isUnixSocket: host.isEmpty),
            limits: configuration.limits, budget: budget, owner: self)
    }

    private func connectFailed(_ why: String) {
        failures += 1
        let name = address?.description ?? "the server"
        let error = RPCError(
            .unavailable, "cannot reach \(name): \(why)", reason: "CANNOT_CONNECT")
        state = .backingOff(error: error)
        failWaiters(error, all: false)
        let seconds = configuration.backoff.seconds(afterFailures: failures)
        _ = loop.schedule(self, at: loop.now.advanced(bySeconds: seconds))
    }

    /// The end of a backoff.
    func timerFired() {
        guard case .backingOff = state else { return }
        state = .idle
        if !waiters.isEmpty { connect() }
    }

    // MARK: The connection's life

    func connectionOpened(_ connection: HTTP2Connection) {
        guard case .connecting(let current) = state, current === connection else { return }
        state = .ready(connection)
        failures = 0
        advance()
    }

    func connectionDraining(_ connection: HTTP2Connection) {
        guard case .ready(let current) = state, current === connection else { return }
        retire(connection)
    }

    private func retire(_ connection: HTTP2Connection) {
        state = .idle
        leaving[ObjectIdentifier(connection)] = connection
    }

    func connection(
        _ connection: HTTP2Connection, request: HeaderBlock, on stream: HTTP2Stream
    ) {}

    func connectionClosed(_ connection: HTTP2Connection, why: String) {
        leaving[ObjectIdentifier(connection)] = nil
        switch state {
        case .connecting(let current) where current === connection: tryNextAddress(why)
        case .ready(let current) where current === connection:
            state = .idle
            if !waiters.isEmpty { advance() }
        default: break
        }
        reportIfClosed()
    }

    /// Ends the connection after its calls. New calls fail.
    func close(then done: @escaping @Sendable () -> Void) {
        closed.append(done)
        let previous = state
        state = .closed
        switch previous {
        case .ready(let connection), .connecting(let connection):
            leaving[ObjectIdentifier(connection)] = connection
            connection.close("the client is closed")
        default: break
        }
        advance()
        reportIfClosed()
    }

    private func reportIfClosed() {
        guard case .closed = state, leaving.isEmpty else { return }
        let done = closed
        closed = []
        for report in done { report() }
    }
}

/// Ends one waiter's patience.
private final class WaiterTimeout: TimerTarget {
    private let channel: Channel
    private let id: Int

    init(_ channel: Channel, _ id: Int) { (self.channel, self.id) = (channel, id) }

    func timerFired() { channel.fail(id, ClientCall.deadlineExceeded) }
}
