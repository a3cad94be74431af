import Base
import Messages
package import RPC

/// `fovea.testing.v1.Echo`: answers what it is told to answer. For tests and benchmarks.
package enum EchoService {
    /// Registers every method.
    package static func register(on router: inout Router) {
        router.declare(service: EchoTest.Echo.name, methods: EchoTest.Echo.methods)
        router.register(EchoTest.Echo.unary, needs: .reader) { request, context in
            try await EchoService.answer(request, context)
        }
        router.register(EchoTest.Echo.clientStream, needs: .annotator) { requests, context in
            var count = Counts()
            var last = EchoTest.EchoRequest()
            while let request = try await requests.next() {
                echoMetadata(request, context)
                count.add(request)
                last = request
                try await pause(request.readDelayMilliseconds, last.ignoreCancellation)
            }
            try await pause(last.delayMilliseconds, last.ignoreCancellation)
            try fail(last, after: .max)
            return response(to: last, count, index: 0, context)
        }
        router.register(EchoTest.Echo.serverStream, needs: .reader) { request, context, responses in
            var count = Counts()
            count.add(request)
            echoMetadata(request, context)
            try await respond(to: request, &count, context, responses)
        }
        router.register(EchoTest.Echo.bidirectional, needs: .reader) { requests, context, out in
            var count = Counts()
            while let request = try await requests.next() {
                echoMetadata(request, context)
                count.add(request)
                try await respond(to: request, &count, context, out)
                try await pause(request.readDelayMilliseconds, request.ignoreCancellation)
            }
        }
        router.register(EchoTest.Echo.roundTrip, needs: .reader) { request, _ in request }
    }

    private struct Counts {
        var requests: UInt64 = 0
        var bytes: UInt64 = 0
        var responses: UInt64 = 0

        mutating func add(_ request: EchoTest.EchoRequest) {
            requests += 1
            bytes += UInt64(request.payload.count)
        }
    }

    private static func answer(_ request: EchoTest.EchoRequest, _ context: CallContext)
        async throws -> EchoTest.EchoResponse
    {
        if request.echoMetadata { echoMetadata(request, context) }
        if request.delayMilliseconds > 0 {
            try await pause(request.delayMilliseconds, request.ignoreCancellation)
        }
        try fail(request, after: .max)
        var count = Counts()
        count.add(request)
        return response(to: request, count, index: 0, context)
    }

    private static func respond(
        to request: EchoTest.EchoRequest, _ count: inout Counts, _ context: CallContext,
        _ responses: ResponseWriter<EchoTest.EchoResponse>
    ) async throws {
        for _ in 0..<(request.responseCount ?? 1) {
            try fail(request, after: count.responses)
            try await pause(request.delayMilliseconds, request.ignoreCancellation)
            try await responses.write(
                response(to: request, count, index: count.responses, context))
            count.responses += 1
        }
        try fail(request, after: .max)
    }

    private static func response(
        to request: EchoTest.EchoRequest, _ count: Counts, index: UInt64, _ context: CallContext
    ) -> EchoTest.EchoResponse {
        var response = EchoTest.EchoResponse()
        response.payload = request.responseBytes.map { pattern(Int($0)) } ?? request.payload
        response.sequenceNumber = request.sequenceNumber
        response.responseIndex = index
        response.requestCount = count.requests
        response.receivedBytes = count.bytes
        response.deadlineMilliseconds = context.remainingSeconds.map { Int64($0 * 1000) }
        return response
    }

    /// Bytes that equal their index modulo 251; long runs share one block.
    private static func pattern(_ count: Int) -> Bytes {
        if count <= longPattern.count { return longPattern.slice(0..<count) }
        return Bytes(count: count) { target in
            for index in 0..<count { target[index] = UInt8(index % 251) }
        }
    }

    private static let longPattern = Bytes(count: 4 << 20) { target in
        for index in 0..<target.count { target[index] = UInt8(index % 251) }
    }

    private static func pause(_ milliseconds: UInt32, _ ignoresCancellation: Bool) async throws {
        guard milliseconds > 0 else { return }
        let time = Duration.milliseconds(Int(milliseconds))
        if ignoresCancellation {
            await Task.detached { try? await Task.sleep(for: time) }.value
        } else {
            try await Task.sleep(for: time)
        }
    }

    /// Throws what the request asks for, once it has asked for so many responses.
    private static func fail(_ request: EchoTest.EchoRequest, after count: UInt64) throws {
        guard let failure = request.failure, failure.code != 0,
            count >= UInt64(request.failureAfterCount)
        else { return }
        var error = RPCError(
            StatusCode(rawValue: Int(failure.code)) ?? .unknown, failure.message,
            reason: "ECHO_FAILURE")
        if !failure.details.isEmpty { error.encodedDetails = try failure.encoded() }
        throw error
    }

    private static func echoMetadata(_ request: EchoTest.EchoRequest, _ context: CallContext) {
        guard request.echoMetadata else { return }
        var initial = Metadata()
        var trailing = Metadata()
        for entry in context.metadata.entries {
            if entry.name.hasPrefix("echo-initial-") { initial.append(entry) }
            if entry.name.hasPrefix("echo-trailing-") { trailing.append(entry) }
        }
        context.setInitialMetadata(initial)
        context.setTrailingMetadata(trailing)
    }
}
