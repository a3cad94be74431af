package import Base
import Glibc
import Messages
package import RPC

/// The handlers of `fovea.testing.v1.Echo`.
package struct EchoService: Sendable {
    typealias Request = EchoTest.EchoRequest
    typealias Response = EchoTest.EchoResponse

    /// Whether unary calls are answered without a task, as short handlers of services are.
    private let isImmediate: Bool
    private let reportCancellation: @Sendable (MethodPath) -> Void
    private let refusals = Lock<[String: Int]>([:])

    /// - Parameters:
    ///   - isImmediate: see the property
    ///   - reportCancellation: told of each handler that saw its call cancelled
    package init(
        isImmediate: Bool = false,
        reportCancellation: @escaping @Sendable (MethodPath) -> Void = { _ in }
    ) {
        self.isImmediate = isImmediate
        self.reportCancellation = reportCancellation
    }

    /// Registers every method, each with another role, so that tests can tell roles apart.
    package func register(in router: inout Router) {
        if isImmediate {
            router.registerImmediate(EchoTest.Echo.unary, needs: .reader, answerAtOnce)
        } else {
            router.register(EchoTest.Echo.unary, needs: .reader) { request, context in
                try await reportingCancellation(context) { try await unary(request, context) }
            }
        }
        router.register(EchoTest.Echo.clientStream, needs: .annotator) { requests, context in
            try await reportingCancellation(context) { try await clientStream(requests, context) }
        }
        router.register(EchoTest.Echo.serverStream, needs: .trainer) {
            request, context, responses in
            try await reportingCancellation(context) {
                var call = EchoCall(context)
                call.accept(request)
                try await call.respond(to: request, responses)
            }
        }
        router.register(EchoTest.Echo.bidirectional, needs: .operator_) {
            requests, context, responses in
            try await reportingCancellation(context) {
                var call = EchoCall(context)
                while let request = try await requests.next() {
                    call.accept(request)
                    try await call.respond(to: request, responses)
                    try await sleep(milliseconds: request.readDelayMilliseconds)
                }
            }
        }
        router.register(EchoTest.Echo.roundTrip, needs: .admin) { request, _ in request }
    }

    private func answerAtOnce(_ request: Request, _ context: CallContext) throws -> Response {
        guard request.delayMilliseconds == 0, !request.echoMetadata else {
            throw RPCError(.failedPrecondition, "started with --immediate: no delay, no metadata")
        }
        var call = EchoCall(context)
        call.accept(request)
        if let failure = EchoCall.failure(request) { throw failure }
        return call.response(to: request)
    }

    private func unary(_ request: Request, _ context: CallContext) async throws -> Response {
        try refuseFirst(context)
        var call = EchoCall(context)
        call.accept(request)
        try await call.pause(request)
        if let failure = EchoCall.failure(request) { throw failure }
        return call.response(to: request)
    }

    private func clientStream(_ requests: RequestReader<Request>, _ context: CallContext)
        async throws -> Response
    {
        var call = EchoCall(context)
        var last = Request()
        while let request = try await requests.next() {
            call.accept(request)
            if let failure = EchoCall.failure(request) { throw failure }
            try await sleep(milliseconds: request.readDelayMilliseconds)
            last = request
        }
        try await call.pause(last)
        return call.response(to: last)
    }

    /// `echo-unavailable-first: KEY:COUNT` refuses the first COUNT calls with that KEY.
    private func refuseFirst(_ context: CallContext) throws(RPCError) {
        guard let wish = context.metadata["echo-unavailable-first"],
            let count = wish.split(separator: ":").last.flatMap({ Int($0) })
        else { return }
        let seen = refusals.with { refusals in
            refusals[wish, default: 0] += 1
            return refusals[wish, default: 0]
        }
        if seen <= count { throw RPCError(.unavailable, "refused as asked") }
    }

    private func reportingCancellation<Value>(
        _ context: CallContext, _ body: () async throws -> Value
    ) async throws -> Value {
        defer { if Task.isCancelled { reportCancellation(context.path) } }
        return try await body()
    }
}

private func sleep(milliseconds: UInt32) async throws {
    guard milliseconds > 0 else { return }
    try await Task.sleep(for: .milliseconds(Int(milliseconds)))
}

/// The state of one call: what it read and sent so far.
private struct EchoCall {
    private let context: CallContext
    private let deadlineMilliseconds: Int64?
    private var requests: UInt64 = 0
    private var receivedBytes: UInt64 = 0
    private var responses: UInt64 = 0

    init(_ context: CallContext) {
        self.context = context
        deadlineMilliseconds = context.remainingSeconds.map { Int64(min($0, 1e12) * 1000) }
    }

    /// Counts a request and takes its wishes about metadata.
    mutating func accept(_ request: EchoService.Request) {
        requests += 1
        receivedBytes += UInt64(request.payload.count)
        guard request.echoMetadata, requests == 1 else { return }
        context.setInitialMetadata(received("echo-initial-"))
        context.setTrailingMetadata(received("echo-trailing-"))
    }

    private func received(_ prefix: String) -> Metadata {
        var metadata = Metadata()
        for entry in context.metadata.entries where entry.name.hasPrefix(prefix) {
            if entry.name.hasSuffix("-bin") {
                metadata.append(entry.name, bytes: entry.value)
            } else {
                metadata.append(entry.name, entry.text)
            }
        }
        return metadata
    }

    /// Waits as asked.
    func pause(_ request: EchoService.Request) async throws {
        guard request.ignoreCancellation else {
            return try await sleep(milliseconds: request.delayMilliseconds)
        }
        // A task of its own is not cancelled with the call.
        await Task.detached { try? await sleep(milliseconds: request.delayMilliseconds) }.value
    }

    /// The responses to one request of a streaming call.
    mutating func respond(
        to request: EchoService.Request, _ writer: ResponseWriter<EchoService.Response>
    ) async throws {
        let payload = EchoCall.payload(request)
        for _ in 0..<(request.responseCount ?? 1) {
            try failIfDue(request)
            try await pause(request)
            try await writer.write(response(to: request, payload))
        }
        try failIfDue(request)
    }

    /// The next response.
    mutating func response(to request: EchoService.Request) -> EchoService.Response {
        response(to: request, EchoCall.payload(request))
    }

    private mutating func response(to request: EchoService.Request, _ payload: Bytes)
        -> EchoService.Response
    {
        var response = EchoService.Response()
        response.payload = payload
        response.sequenceNumber = request.sequenceNumber
        response.responseIndex = responses
        response.requestCount = requests
        response.receivedBytes = receivedBytes
        response.deadlineMilliseconds = deadlineMilliseconds
        responses += 1
        return response
    }

    private func failIfDue(_ request: EchoService.Request) throws(RPCError) {
        guard responses >= UInt64(request.failureAfterCount) else { return }
        if let failure = EchoCall.failure(request) { throw failure }
    }

    /// The error asked for, with exactly its details if it has any.
    static func failure(_ request: EchoService.Request) -> RPCError? {
        guard let status = request.failure, status.code != 0 else { return nil }
        var error = RPCError(StatusCode(rawValue: Int(status.code)) ?? .unknown, status.message)
        if !status.details.isEmpty { error.encodedDetails = try? status.encoded() }
        return error
    }

    /// The payload sent, or each byte its index modulo 251.
    private static func payload(_ request: EchoService.Request) -> Bytes {
        guard let count = request.responseBytes.map({ Int($0) }) else { return request.payload }
        return Bytes(count: count) { target in
            guard let base = target.baseAddress else { return }
            let period = 251
            for index in 0..<min(period, count) { target[index] = UInt8(index) }
            var filled = min(period, count)
            while filled < count {
                let take = min(filled, count - filled)
                memcpy(base + filled, base, take)
                filled += take
            }
        }
    }
}
