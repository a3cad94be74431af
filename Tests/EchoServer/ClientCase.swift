import Base
import Messages
import RPC

/// Something that our client does with a server, and what must come of it.
struct ClientCase {
    let name: String
    let body: @Sendable (Client) async throws -> Void

    static let all = [
        ClientCase(name: "unary", body: unary),
        ClientCase(name: "client-stream", body: clientStream),
        ClientCase(name: "server-stream", body: serverStream),
        ClientCase(name: "bidirectional", body: bidirectional),
        ClientCase(name: "empty", body: empty),
        ClientCase(name: "big4m") { try await big($0, bytes: 4 << 20) },
        ClientCase(name: "big64m") { try await big($0, bytes: 64 << 20) },
        ClientCase(name: "deadline", body: deadline),
        ClientCase(name: "cancel", body: cancel),
        ClientCase(name: "metadata", body: metadata),
        ClientCase(name: "gzip", body: gzip),
        ClientCase(name: "concurrent", body: concurrent),
        ClientCase(name: "status-codes", body: statusCodes),
        ClientCase(name: "retry", body: retry),
        ClientCase(name: "wait-for-ready", body: waitForReady),
    ]

    static let names = all.map(\.name).joined(separator: " ")

    private typealias Request = EchoTest.EchoRequest
    private typealias Echo = EchoTest.Echo

    // MARK: Kinds of calls

    private static func unary(_ client: Client) async throws {
        var request = Request()
        request.payload = Bytes("one")
        request.sequenceNumber = 7
        let response = try await client.call(Echo.unary, request, options: soon)
        try expect(response.payload, Bytes("one"))
        try expect(response.sequenceNumber, 7)
        try expect(response.requestCount, 1)
    }

    private static func clientStream(_ client: Client) async throws {
        let response = try await client.call(Echo.clientStream, options: soon) { requests in
            for number in 0..<100 {
                var request = Request()
                request.payload = filled(number)
                try await requests.write(request)
            }
        }
        try expect(response.requestCount, 100)
        try expect(response.receivedBytes, UInt64((0..<100).reduce(0, +)))
        let none = try await client.call(Echo.clientStream, options: soon) { _ in }
        try expect(none.requestCount, 0)
    }

    private static func serverStream(_ client: Client) async throws {
        for count: UInt32 in [0, 1, 100] {
            var request = Request()
            request.responseCount = count
            var indices: [UInt64] = []
            for try await response in try await client.call(
                Echo.serverStream, request, options: soon)
            {
                indices.append(response.responseIndex)
            }
            try expect(indices, Array(0..<UInt64(count)))
        }
    }

    private static func bidirectional(_ client: Client) async throws {
        let (requests, responses) = try await client.call(Echo.bidirectional, options: soon)
        for number: UInt64 in 0..<50 {
            var request = Request()
            request.sequenceNumber = number
            try await requests.write(request)
            try expect(try await responses.next()?.sequenceNumber, number)
        }
        await requests.finish()
        try expect(try await responses.next(), nil)
    }

    // MARK: Sizes

    private static func empty(_ client: Client) async throws {
        let response = try await client.call(Echo.unary, Request(), options: soon)
        try expect(response.payload.count, 0)
        try expect(response.requestCount, 1)
    }

    private static func big(_ client: Client, bytes: Int) async throws {
        var request = Request()
        request.payload = filled(bytes)
        let response = try await client.call(Echo.unary, request, options: soon)
        try expect(response.payload == request.payload, true)
    }

    // MARK: Ends

    private static func deadline(_ client: Client) async throws {
        let response = try await client.call(
            Echo.unary, Request(), options: CallOptions(timeoutSeconds: 30))
        let left = response.deadlineMilliseconds ?? 0
        try expect((20_000...30_001).contains(left), true)
        let error = await failure {
            _ = try await client.call(
                Echo.unary, delayed, options: CallOptions(timeoutSeconds: 0.05))
        }
        try expect(error?.code, .deadlineExceeded)
    }

    private static func cancel(_ client: Client) async throws {
        var request = Request()
        request.responseCount = 10_000
        request.delayMilliseconds = 1
        let responses = try await client.call(Echo.serverStream, request, options: soon)
        try expect(try await responses.next()?.responseIndex, 0)
        responses.cancel()
        let stopped = await failure { while try await responses.next() != nil {} }
        try expect(stopped?.code, .cancelled)

        let waiting = Task { await failure { _ = try await client.call(Echo.unary, delayed) } }
        _ = try await client.call(Echo.unary, Request(), options: soon)
        waiting.cancel()
        try expect(await waiting.value?.code, .cancelled)
    }

    private static func statusCodes(_ client: Client) async throws {
        for code in StatusCode.allCases where code != .ok {
            for message in ["", "100% größer\nals π 🙂"] {
                var request = Request()
                var status = GoogleRPC.Status()
                status.code = Int32(code.rawValue)
                status.message = message
                request.failure = status
                let error = await failure {
                    // A stream: the client does not try it again where it is UNAVAILABLE.
                    for try await _ in try await client.call(
                        Echo.serverStream, request, options: soon)
                    {}
                }
                try expect(error?.code, code)
                try expect(error?.message, message)
                let details = try StatusDetails.decode(error?.encodedDetails ?? Bytes())
                try expect(details.code, Int32(code.rawValue))
                try expect(details.message, message)
                try expect(details.domain, "fovea")
                try expect(details.reason, code.name)
            }
        }
    }

    // MARK: What travels around messages

    private static func metadata(_ client: Client) async throws {
        var options = soon
        options.metadata.append("echo-initial-text", "plain ~!@#$%^&*()")
        options.metadata.append("echo-initial-any-bin", bytes: Bytes(0...255))
        options.metadata.append("echo-initial-none-bin", bytes: Bytes())
        options.metadata.append("echo-trailing-text", "first")
        options.metadata.append("echo-trailing-text", "second")
        options.metadata.append("echo-trailing-one-bin", bytes: Bytes([0]))
        var request = Request()
        request.echoMetadata = true
        let reply = try await client.reply(Echo.unary, request, options: options)
        let entries = options.metadata.entries
        try expect(
            reply.initialMetadata.entries.filter { $0.name.hasPrefix("echo-") },
            entries.filter { $0.name.hasPrefix("echo-initial-") })
        try expect(
            reply.trailingMetadata.entries.filter { $0.name.hasPrefix("echo-") },
            entries.filter { $0.name.hasPrefix("echo-trailing-") })
    }

    private static func gzip(_ client: Client) async throws {
        var options = soon
        options.compress = true
        options.metadata.append("echo-compression", "gzip")
        for bytes in [0, 100, 3 << 20] {
            var request = Request()
            request.payload = filled(bytes)
            let response = try await client.call(Echo.unary, request, options: options)
            try expect(response.payload == request.payload, true)
        }
    }

    // MARK: Many, and again

    private static func concurrent(_ client: Client) async throws {
        let sum = try await withThrowingTaskGroup(of: UInt64.self) { group in
            for number: UInt64 in 0..<1000 {
                group.addTask {
                    var request = Request()
                    request.sequenceNumber = number
                    request.delayMilliseconds = 20
                    return try await client.call(Echo.unary, request, options: soon)
                        .sequenceNumber
                }
            }
            return try await group.reduce(0, +)
        }
        try expect(sum, 999 * 1000 / 2)
    }

    private static func retry(_ client: Client) async throws {
        let key = "\(MonotonicTime.now().nanoseconds)"
        var options = soon
        options.metadata.append("echo-unavailable-first", "\(key):2")
        _ = try await client.call(Echo.unary, Request(), options: options)

        var hopeless = soon
        hopeless.metadata.append("echo-unavailable-first", "\(key):1000")
        let error = await failure {
            _ = try await client.call(Echo.unary, Request(), options: hopeless)
        }
        try expect(error?.code, .unavailable)
    }

    private static func waitForReady(_ client: Client) async throws {
        var options = soon
        options.waitsForReady = true
        _ = try await client.call(Echo.unary, Request(), options: options)
    }

    // MARK: Tools

    private static let soon = CallOptions(timeoutSeconds: 30)

    private static var delayed: Request {
        var request = Request()
        request.delayMilliseconds = 60_000
        return request
    }

    private static func filled(_ count: Int) -> Bytes {
        Bytes(count: count) { target in
            for index in 0..<count { target[index] = UInt8(truncatingIfNeeded: index &* 31) }
        }
    }

    /// The error of `body`; nil if it has none.
    private static func failure(_ body: () async throws -> Void) async -> RPCError? {
        do {
            try await body()
            return nil
        } catch {
            return RPCError(error)
        }
    }

    private static func expect<Value: Equatable>(
        _ seen: Value, _ wanted: Value, line: Int = #line
    ) throws(Unexpected) {
        guard seen != wanted else { return }
        throw Unexpected(description: "line \(line): saw \(seen), wanted \(wanted)")
    }
}

/// A case that went wrong.
private struct Unexpected: Error, CustomStringConvertible {
    let description: String
}
