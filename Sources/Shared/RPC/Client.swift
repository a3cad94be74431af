package import Base

/// How long to wait between attempts: doubling from the first to the maximum, each shortened by
/// up to half at random, so that clients do not come back all at once.
package struct Backoff: Sendable {
    package var firstSeconds = 0.05
    package var secondsMax = 5.0

    package init() {}

    func seconds(afterFailures count: Int) -> Double {
        let full = min(secondsMax, firstSeconds * Double(1 << min(max(count - 1, 0), 20)))
        return full * Double.random(in: 0.5...1)
    }
}

/// How a client behaves.
package struct ClientConfiguration: Sendable {
    package var limits = ConnectionLimits()
    /// TLS; nil for plain connections.
    package var tls: ClientTLS?
    /// Sent as `authorization: Bearer`.
    package var token: String?
    package var backoff = Backoff()
    /// How often a call is made in all, where retrying is safe.
    package var attemptsMax = 4

    /// The defaults. Pings are rarer than a server's own: gRPC servers in C end connections that
    /// are pinged more often than every five minutes.
    package init() { limits.keepaliveSeconds = 330 }
}

/// What one call asks for.
package struct CallOptions: Sendable {
    /// From now to when the caller stops waiting; nil waits for ever.
    package var timeoutSeconds: Double?
    /// Whether to wait for a server that cannot be reached, until the timeout.
    package var waitsForReady = false
    /// Whether to send messages as gzip.
    package var compress = false
    package var metadata = Metadata()

    package init(
        timeoutSeconds: Double? = nil, waitsForReady: Bool = false, compress: Bool = false,
        metadata: Metadata = Metadata()
    ) {
        self.timeoutSeconds = timeoutSeconds
        self.waitsForReady = waitsForReady
        self.compress = compress
        self.metadata = metadata
    }
}

/// A response with what travelled around it.
package struct Reply<Response: Sendable>: Sendable {
    package let message: Response
    package let initialMetadata: Metadata
    package let trailingMetadata: Metadata
}

/// Calls a server. The connection is made with the first call, shared by all, and made again when
/// it is lost.
///
/// Calls that fail with UNAVAILABLE are tried again where that is safe: always if no server saw
/// them, and if their method is idempotent. Methods that are idempotent by a `request_id` are so
/// only if the request has one.
package final class Client: Sendable {
    private let channel: Channel

    private static let sharedLoop = EventLoop(name: "rpc-client")

    /// A client that connects with its first call.
    package init(
        _ address: Address, configuration: ClientConfiguration = ClientConfiguration()
    ) {
        channel = Channel(address: address, configuration: configuration, loop: Client.sharedLoop)
    }

    /// A client on a socket that is connected already.
    init(connected descriptor: Int32, configuration: ClientConfiguration) {
        let channel = Channel(
            address: nil, configuration: configuration, loop: Client.sharedLoop)
        self.channel = channel
        channel.loop.execute { channel.use(connected: descriptor) }
    }

    /// Closes the connection. Calls in flight end as UNAVAILABLE.
    package func close() async {
        await withUnsafeContinuation { continuation in
            channel.loop.execute { self.channel.close { continuation.resume() } }
        }
    }

    // MARK: Unary

    package func call<Request, Response>(
        _ method: UnaryMethod<Request, Response>, _ request: Request,
        options: CallOptions = CallOptions()
    ) async throws(RPCError) -> Response {
        try await reply(method, request, options: options).message
    }

    /// As `call`, with the metadata of the answer.
    package func reply<Request, Response>(
        _ method: UnaryMethod<Request, Response>, _ request: Request,
        options: CallOptions = CallOptions()
    ) async throws(RPCError) -> Reply<Response> {
        let framed = try encode(request, options)
        let (message, call) = try await onLoop { (channel) async throws(RPCError) in
            try await channel.attempt(method.path, options) { (call) async throws(RPCError) in
                try call.enqueue(framed)
                call.endRequests()
                return try await Client.onlyResponse(of: call)
            }
        }
        return Reply(
            message: try await decode(message), initialMetadata: call.initialMetadata,
            trailingMetadata: call.trailingMetadata)
    }

    private static func onlyResponse(of call: ClientCall) async throws(RPCError)
        -> InboundMessage
    {
        guard let message = try await call.next() else {
            throw RPCError(
                .internalError, "the server ended the call in OK without a response",
                reason: "NO_RESPONSE")
        }
        guard try await call.next() == nil else {
            call.cancel()
            throw RPCError(
                .internalError, "the server sent more than one response",
                reason: "TOO_MANY_RESPONSES")
        }
        return message
    }

    // MARK: Streams

    /// Sends what `requests` writes, then waits for the response. A server may answer before the
    /// last request; writing then fails, and its answer or error is what comes back.
    package func call<Request, Response>(
        _ method: ClientStreamMethod<Request, Response>, options: CallOptions = CallOptions(),
        requests: @Sendable (RequestWriter<Request>) async throws -> Void
    ) async throws(RPCError) -> Response {
        let call = try await open(method.path, options)
        let writer = RequestWriter<Request>(client: self, handle: call, options: options)
        do {
            try await requests(writer)
        } catch {
            // An error of the caller's own ends the call; one of the server's is told below.
            if !(error is RPCError) {
                call.cancel()
                throw RPCError(error)
            }
        }
        await writer.finish()
        let message = try await onLoop { (_) async throws(RPCError) in
            try await Client.onlyResponse(of: call.call)
        }
        return try await decode(message)
    }

    /// Sends a request and returns its responses.
    package func call<Request, Response>(
        _ method: ServerStreamMethod<Request, Response>, _ request: Request,
        options: CallOptions = CallOptions()
    ) async throws(RPCError) -> ResponseStream<Response> {
        let framed = try encode(request, options)
        let call = try await open(method.path, options, firstMessage: framed)
        return ResponseStream(client: self, handle: call)
    }

    /// Opens a call on which both sides write when they like.
    package func call<Request, Response>(
        _ method: BidirectionalMethod<Request, Response>, options: CallOptions = CallOptions()
    ) async throws(RPCError) -> (
        requests: RequestWriter<Request>, responses: ResponseStream<Response>
    ) {
        let call = try await open(method.path, options)
        return (
            RequestWriter(client: self, handle: call, options: options),
            ResponseStream(client: self, handle: call)
        )
    }

    private func open(
        _ path: MethodPath, _ options: CallOptions, firstMessage: Bytes? = nil
    ) async throws(RPCError) -> CallHandle {
        let (_, call) = try await onLoop { (channel) async throws(RPCError) in
            try await channel.attempt(path, options) { (call) async throws(RPCError) in
                if let firstMessage {
                    try call.enqueue(firstMessage)
                    call.endRequests()
                }
            }
        }
        return CallHandle(call: call, loop: channel.loop)
    }

    // MARK: Tools

    fileprivate func onLoop<Value>(
        _ body: (Channel) async throws(RPCError) -> Value
    ) async throws(RPCError) -> Value {
        try await channel.loop.run { () async throws(RPCError) in try await body(channel) }
    }

    fileprivate func encode(_ message: some WireMessage, _ options: CallOptions) throws(RPCError)
        -> Bytes
    {
        try MessageCoding.encode(
            message, compress: options.compress,
            bytesMax: channel.configuration.limits.messageBytesMax)
    }

    fileprivate func decode<Message: WireMessage>(_ message: InboundMessage)
        async throws(RPCError) -> Message
    {
        try await MessageCoding.decode(
            message, bytesMax: channel.configuration.limits.messageBytesMax)
    }
}

extension Channel {
    /// Makes a call, and again where that is safe and useful.
    fileprivate func attempt<Value>(
        _ path: MethodPath, _ options: CallOptions,
        _ body: (ClientCall) async throws(RPCError) -> Value
    ) async throws(RPCError) -> (Value, ClientCall) {
        let deadline = options.timeoutSeconds.map { MonotonicTime.now().advanced(bySeconds: $0) }
        var attempts = 0
        while true {
            attempts += 1
            let call = ClientCall(loop: loop)
            do throws(RPCError) {
                let connection = try await connection(
                    waitsForReady: options.waitsForReady, deadline: deadline)
                try call.begin(
                    path, to: server, on: connection, options: options, deadline: deadline)
                return (try await body(call), call)
            } catch {
                guard mayRetry(path, error, call), attempts < configuration.attemptsMax else {
                    throw error
                }
                try await pause(attempts, deadline)
            }
        }
    }

    private func mayRetry(_ path: MethodPath, _ error: RPCError, _ call: ClientCall) -> Bool {
        guard error.code == .unavailable, !call.hasAnswer else { return false }
        return path.isIdempotent || ["STREAM_REFUSED", "CANNOT_CONNECT"].contains(error.reason)
    }

    private func pause(_ attempts: Int, _ deadline: MonotonicTime?) async throws(RPCError) {
        let seconds = configuration.backoff.seconds(afterFailures: attempts)
        let end = MonotonicTime.now().advanced(bySeconds: seconds)
        if let deadline, deadline < end { throw ClientCall.deadlineExceeded }
        await withUnsafeContinuation { continuation in
            _ = loop.schedule(Pause(continuation), at: end)
        }
        if Task.isCancelled {
            throw RPCError(.cancelled, "the call was cancelled", reason: "CALL_CANCELLED")
        }
    }
}

/// A wait on the loop's timers.
private final class Pause: TimerTarget {
    private let continuation: UnsafeContinuation<Void, Never>

    init(_ continuation: UnsafeContinuation<Void, Never>) { self.continuation = continuation }

    func timerFired() { continuation.resume() }
}

/// Keeps a call alive; when the last reference goes, the call is cancelled if it still runs.
package final class CallHandle: Sendable {
    let call: ClientCall
    let loop: EventLoop

    init(call: ClientCall, loop: EventLoop) { (self.call, self.loop) = (call, loop) }

    deinit { cancel() }

    /// Tells the server to stop.
    package func cancel() {
        loop.execute { [call] in call.cancel() }
    }
}

/// Where a client's stream of requests goes.
package struct RequestWriter<Request: WireMessage>: Sendable {
    let client: Client
    let handle: CallHandle
    let options: CallOptions

    /// Sends a request. Waits while the server is slow.
    package func write(_ request: Request) async throws(RPCError) {
        let framed = try client.encode(request, options)
        try await client.onLoop { (_) async throws(RPCError) in
            try await handle.call.write(framed)
        }
    }

    /// Says that no more requests come.
    package func finish() async {
        await handle.loop.run { handle.call.endRequests() }
    }
}

/// A server's responses, in order. One task reads.
package struct ResponseStream<Response: WireMessage>: AsyncSequence, Sendable {
    let client: Client
    let handle: CallHandle

    /// The next response; nil after the last one of a call that ended in OK.
    package func next() async throws(RPCError) -> Response? {
        let message = try await client.onLoop { (_) async throws(RPCError) in
            try await handle.call.next()
        }
        guard let message else { return nil }
        return try await client.decode(message) as Response
    }

    /// Tells the server to stop.
    package func cancel() { handle.cancel() }

    /// Metadata that came before the first response; empty before that.
    package func initialMetadata() async -> Metadata {
        await handle.loop.run { handle.call.initialMetadata }
    }

    /// Metadata that came after the last response.
    package func trailingMetadata() async -> Metadata {
        await handle.loop.run { handle.call.trailingMetadata }
    }

    /// Steps through the responses.
    package struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ResponseStream

        package func next() async throws -> Response? { try await stream.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}
