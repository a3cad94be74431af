package import Base
import CNGHTTP2
import Glibc

/// One call on the server: from its headers to its trailers. Touched only on its loop, but for
/// what is set once in the initialiser.
final class ServerCall: StreamOwner, TimerTarget, @unchecked Sendable {
    // The loop runs everything here: nghttp2's callbacks, timers, and the handler's task between
    // its waits, which prefers the loop as its executor. Other threads only read `let`s.
    private enum State {
        /// Waiting for the one request of a unary call.
        case collecting
        case running
        /// Status decided; trailers queued or sent.
        case ended
    }

    let method: RoutedMethod
    let metadata: Metadata
    let principal: Principal
    let deadline: MonotonicTime?
    let startedAt: MonotonicTime
    let loop: EventLoop
    private let stream: HTTP2Stream
    private let connection: HTTP2Connection
    private let host: ServerLoop
    private let messageBytesMax: Int
    private let compresses: Bool
    private var state = State.collecting
    private var hasSentHeaders = false
    private var timer: Timer?
    private var task: Task<Void, Never>?
    private var handlerReturned = false
    private var initialMetadata = Metadata()
    private var trailingMetadata = Metadata()
    private var messagesReceived = 0
    private var messagesSent = 0

    init(
        method: RoutedMethod, request: HeaderBlock, principal: Principal,
        connection: HTTP2Connection, stream: HTTP2Stream, host: ServerLoop,
        deadline: MonotonicTime?
    ) {
        self.method = method
        self.metadata = request.metadata
        self.principal = principal
        self.connection = connection
        self.stream = stream
        self.host = host
        self.deadline = deadline
        loop = stream.loop
        startedAt = stream.loop.now
        messageBytesMax = host.configuration.limits.messageBytesMax
        // Who compresses requests gets compressed answers.
        compresses = request.encoding == "gzip" && request.acceptsGzip
        acceptsCompressed = request.encoding == "gzip"
    }

    private let acceptsCompressed: Bool

    /// Starts the clock and, for streams, the handler.
    func begin() {
        host.observer?.callStarted(method.path, kind: method.kind)
        if let deadline { timer = loop.schedule(self, at: deadline) }
        guard let handler = method.handler else {
            return end(
                RPCError(
                    .unimplemented, "\(method.path) is not there yet in this version of the server",
                    reason: "NOT_IMPLEMENTED"))
        }
        if case .stream(_, let body) = handler {
            state = .running
            connection.handlersRunning += 1
            keep(Task.immediate(executorPreference: loop) { await self.run(body) })
        }
    }

    /// Keeps the handler's task to cancel it, unless it is over already.
    private func keep(_ task: Task<Void, Never>) { if !handlerReturned { self.task = task } }

    private func handlerEnded() {
        handlerReturned = true
        task = nil
        connection.handlersRunning -= 1
    }

    // MARK: The stream's events

    func streamReceived(_ block: HeaderBlock, isTrailers: Bool) {}

    func streamHasInput() {
        guard state == .collecting, let handler = method.handler else { return }
        guard stream.waitingMessages <= 1 else { return end(ServerCall.tooManyRequests) }
        guard stream.inputEnded else { return }
        guard let message = stream.popMessage() else {
            return end(
                RPCError(.internalError, "the call has no request message", reason: "NO_REQUEST"))
        }
        state = .running
        if let error = admit(message) { return end(error) }
        switch handler {
        case .immediate(let body): runImmediate(body, message)
        case .unary(let body):
            connection.handlersRunning += 1
            keep(Task.immediate(executorPreference: loop) { await self.run(body, message) })
        case .stream: break
        }
    }

    private static let tooManyRequests = RPCError(
        .internalError, "the call has more than one request message", reason: "TOO_MANY_REQUESTS")

    func streamInputFailed(_ error: FramingError) { end(RPCError(error)) }

    func streamClosed(_ error: RPCError) {
        if state != .ended { finish(.cancelled, error.message, nil) }
        task?.cancel()
    }

    func timerFired() {
        let seconds = deadline.map { $0.seconds(since: startedAt) } ?? 0
        task?.cancel()
        end(
            RPCError(
                .deadlineExceeded, "the call took longer than its deadline of \(seconds) s",
                reason: "DEADLINE_PASSED"))
    }

    /// The server gives up on calls that outlast the drain.
    func abandon() {
        task?.cancel()
        end(
            RPCError(
                .unavailable, "the server is shutting down; try again elsewhere",
                reason: "DRAINING"))
    }

    // MARK: The handler

    private func runImmediate(
        _ body: (InboundMessage, ServerCall) throws -> Bytes, _ message: InboundMessage
    ) {
        do {
            succeed(try body(message, self))
        } catch {
            fail(error)
        }
    }

    private func run(
        _ body: (InboundMessage, ServerCall) async throws -> Bytes, _ message: InboundMessage
    ) async {
        do {
            let response = try await body(message, self)
            if loop.isCurrent { succeed(response) } else { onLoop { $0.succeed(response) } }
        } catch {
            onLoop { $0.fail(error) }
        }
        onLoop { $0.handlerEnded() }
    }

    private func run(_ body: (ServerCall) async throws -> Void) async {
        do {
            try await body(self)
            onLoop { $0.succeed(nil) }
        } catch {
            onLoop { $0.fail(error) }
        }
        onLoop { $0.handlerEnded() }
    }

    /// The task prefers the loop, so it is there already; a handler that changed executors may not.
    private func onLoop(_ work: @escaping @Sendable (ServerCall) -> Void) {
        if loop.isCurrent { work(self) } else { loop.submit { work(self) } }
    }

    private func succeed(_ response: Bytes?) {
        guard state != .ended else { return }
        do throws(RPCError) {
            if let response { try enqueue(response) } else { sendHeaders() }
        } catch {
            return end(error)
        }
        if trailingMetadata.isEmpty {
            stream.endOutputWithSuccess()
        } else {
            var fields = HeaderList()
            fields.append("grpc-status", "0")
            fields.append(trailingMetadata)
            stream.endOutput(trailers: fields)
        }
        finish(.ok, "", nil)
    }

    private func fail(_ error: any Error) {
        end(RPCError(error), cause: error, keepsQueued: true)
    }

    /// Ends the call with an error.
    ///
    /// - Parameter keepsQueued: whether the responses that a handler wrote before it failed still
    ///   go first; where nobody waits for them any more, they are dropped
    private func end(
        _ error: RPCError, cause: (any Error)? = nil, keepsQueued: Bool = false
    ) {
        guard state != .ended else { return }
        var fields = HeaderList()
        if !hasSentHeaders {
            fields.append(":status", "200")
            fields.append("content-type", "application/grpc")
            fields.append(initialMetadata)
        }
        host.appendStatus(error, to: &fields)
        fields.append(trailingMetadata)
        fields.append(error.metadata)
        if hasSentHeaders {
            if !keepsQueued { stream.discardOutput() }
            stream.endOutput(trailers: fields)
        } else {
            stream.connection?.submitTrailersOnly(stream: stream.id, fields)
        }
        finish(error.code, error.message, cause)
    }

    private func finish(_ code: StatusCode, _ message: String, _ cause: (any Error)?) {
        state = .ended
        if let timer { loop.cancel(timer) }
        timer = nil
        guard let observer = host.observer else { return }
        observer.callEnded(
            CallRecord(
                path: method.path, kind: method.kind, code: code, message: message, cause: cause,
                durationSeconds: MonotonicTime.now().seconds(since: startedAt),
                messagesReceived: messagesReceived, messagesSent: messagesSent,
                requestID: requestID, principalName: principal.name, peer: peer))
    }

    // MARK: What handlers use

    /// The other end of the connection.
    var peer: Peer { connection.peer }

    /// Names the call in logs: the caller's `x-request-id`, else a number of this process.
    var requestID: String {
        if let given = metadata["x-request-id"], given.utf8.count <= 128 { return given }
        return "\(host.name)-\(startedAt.nanoseconds)-\(stream.id)"
    }

    func decode<Message: WireMessage>(_ message: InboundMessage) async throws(RPCError) -> Message {
        try await MessageCoding.decode(message, bytesMax: messageBytesMax)
    }

    func decodeNow<Message: WireMessage>(_ message: InboundMessage) throws(RPCError) -> Message {
        try MessageCoding.decodeNow(message, bytesMax: messageBytesMax)
    }

    func encode(_ message: some WireMessage) throws(RPCError) -> Bytes {
        try MessageCoding.encode(message, compress: compresses, bytesMax: messageBytesMax)
    }

    /// The next request; nil after the last.
    func next() async throws -> InboundMessage? {
        if loop.isCurrent { return try await nextOnLoop() }
        return try await loop.run { try await self.nextOnLoop() }
    }

    private func nextOnLoop() async throws -> InboundMessage? {
        guard let message = try await stream.next() else { return nil }
        if let error = admit(message) { throw error }
        return message
    }

    private func admit(_ message: InboundMessage) -> RPCError? {
        messagesReceived += 1
        guard message.isCompressed, !acceptsCompressed else { return nil }
        return RPCError(FramingError.unannouncedCompression)
    }

    /// Queues a response, and waits while the client is slow.
    func write(_ message: some WireMessage) async throws {
        let framed = try encode(message)
        if loop.isCurrent { return try await writeOnLoop(framed) }
        try await loop.run { try await self.writeOnLoop(framed) }
    }

    private func writeOnLoop(_ framed: Bytes) async throws {
        guard state != .ended else {
            throw stream.closeError
                ?? RPCError(.cancelled, "the call has ended already", reason: "CALL_ENDED")
        }
        sendHeaders()
        messagesSent += 1
        try await stream.write(framed)
    }

    private func enqueue(_ framed: Bytes) throws(RPCError) {
        sendHeaders()
        messagesSent += 1
        try stream.enqueue(framed)
    }

    private func sendHeaders() {
        guard !hasSentHeaders, let connection = stream.connection else { return }
        hasSentHeaders = true
        guard !initialMetadata.isEmpty || compresses else {
            return connection.submitResponse(stream, ConstantFields.response.fields)
        }
        var fields = HeaderList()
        fields.append(":status", "200")
        fields.append("content-type", "application/grpc")
        fields.append("grpc-accept-encoding", "identity,gzip")
        if compresses { fields.append("grpc-encoding", "gzip") }
        fields.append(initialMetadata)
        fields.withFields { connection.submitResponse(stream, $0) }
    }

    func setInitialMetadata(_ metadata: Metadata) { onLoop { $0.initialMetadata = metadata } }

    func setTrailingMetadata(_ metadata: Metadata) { onLoop { $0.trailingMetadata = metadata } }
}

/// What a handler knows about its call, and may add to the answer.
package struct CallContext: Sendable {
    private let call: ServerCall

    init(_ call: ServerCall) { self.call = call }

    /// The method called.
    package var path: MethodPath { call.method.path }
    /// The request's metadata.
    package var metadata: Metadata { call.metadata }
    /// Who calls.
    package var principal: Principal { call.principal }
    /// The other end of the connection.
    package var peer: Peer { call.peer }
    /// The caller's `x-request-id`, else a name that this server gave.
    package var requestID: String { call.requestID }
    /// Until when the caller waits; nil for ever.
    package var deadline: MonotonicTime? { call.deadline }
    /// Time left until the deadline, never negative; nil without one.
    package var remainingSeconds: Double? {
        call.deadline.map { max(0, $0.seconds(since: .now())) }
    }
    /// Whether the caller is gone or the deadline has passed. Read inside the handler's task.
    package var isCancelled: Bool { Task.isCancelled }

    /// Sets the metadata that goes before the first response.
    package func setInitialMetadata(_ metadata: Metadata) { call.setInitialMetadata(metadata) }

    /// Sets the metadata that goes after the last response.
    package func setTrailingMetadata(_ metadata: Metadata) { call.setTrailingMetadata(metadata) }
}

/// The requests of a call, in order. One task reads.
package struct RequestReader<Request: WireMessage>: Sendable {
    let call: ServerCall

    /// The next request; nil after the last.
    package func next() async throws -> Request? {
        guard let message = try await call.next() else { return nil }
        return try await call.decode(message) as Request
    }

    /// The one request of a server stream.
    func only() async throws -> Request {
        guard let request = try await next() else {
            throw RPCError(.internalError, "the call has no request message", reason: "NO_REQUEST")
        }
        return request
    }
}

/// Where a call's responses go.
package struct ResponseWriter<Response: WireMessage>: Sendable {
    let call: ServerCall

    /// Sends a response. Waits while the client is slow, so that nothing piles up.
    package func write(_ response: Response) async throws {
        try await call.write(response)
    }
}
