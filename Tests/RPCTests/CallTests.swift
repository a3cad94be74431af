import Base
import Messages
import RPC
import TestSupport
import Testing

/// Calls of every kind through the in-process transport.
@Suite struct CallTests {
    private func start(_ configuration: ServerConfiguration = ServerConfiguration()) throws -> (
        Server, Client
    ) {
        var router = Router()
        EchoService().register(in: &router)
        let server = Server(router: router, configuration: configuration)
        return (server, try server.connectInProcess())
    }

    @Test func aUnaryCallReturnsItsPayload() async throws {
        let (server, client) = try start()
        var request = EchoTest.EchoRequest()
        request.payload = Bytes("hello")
        let response = try await client.call(EchoTest.Echo.unary, request)
        #expect(response.payload == Bytes("hello"))
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test(arguments: [0, 1, 5000, 70_000, 4 << 20])
    func payloadsOfAllSizesComeBack(count: Int) async throws {
        let (server, client) = try start()
        var request = EchoTest.EchoRequest()
        request.payload = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        for compress in [false, true] {
            let response = try await client.call(
                EchoTest.Echo.unary, request, options: CallOptions(compress: compress))
            #expect(response.payload == request.payload)
        }
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func aClientStreamIsSummedUp() async throws {
        let (server, client) = try start()
        let response = try await client.call(EchoTest.Echo.clientStream) { writer in
            for index in 0..<1000 as Range<UInt64> {
                var request = EchoTest.EchoRequest()
                request.payload = Bytes(repeatElement(7, count: 1000))
                request.sequenceNumber = index
                try await writer.write(request)
            }
        }
        #expect(response.requestCount == 1000)
        #expect(response.receivedBytes == 1_000_000)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func aServerStreamComesInOrder() async throws {
        let (server, client) = try start()
        var request = EchoTest.EchoRequest()
        request.responseCount = 2000
        request.responseBytes = 3000
        let responses = try await client.call(EchoTest.Echo.serverStream, request)
        var next: UInt64 = 0
        for try await response in responses {
            #expect(response.responseIndex == next)
            next += 1
        }
        #expect(next == 2000)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func bothSidesOfABidirectionalCallInterleave() async throws {
        let (server, client) = try start()
        let (requests, responses) = try await client.call(EchoTest.Echo.bidirectional)
        for index in 0..<100 as Range<UInt64> {
            var request = EchoTest.EchoRequest()
            request.sequenceNumber = index
            try await requests.write(request)
            #expect(try await responses.next()?.sequenceNumber == index)
        }
        await requests.finish()
        #expect(try await responses.next() == nil)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func aDeadlineEndsTheCall() async throws {
        let (server, client) = try start()
        var request = EchoTest.EchoRequest()
        request.delayMilliseconds = 60_000
        let error = await #expect(throws: RPCError.self) {
            try await client.call(
                EchoTest.Echo.unary, request, options: CallOptions(timeoutSeconds: 0.05))
        }
        #expect(error?.code == .deadlineExceeded)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func cancellingTheTaskCancelsTheHandler() async throws {
        let (server, client) = try start()
        let task = Task {
            var request = EchoTest.EchoRequest()
            request.delayMilliseconds = 60_000
            return try await client.call(EchoTest.Echo.unary, request)
        }
        task.cancel()
        let error = await #expect(throws: RPCError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        // The handler's sleep would hold the drain for a minute.
        await client.close()
        await server.drain(graceSeconds: 30)
    }

    @Test func aMessageOverTheLimitNamesBothNumbers() async throws {
        var configuration = ServerConfiguration()
        configuration.limits.messageBytesMax = 1000
        let (server, client) = try start(configuration)
        var request = EchoTest.EchoRequest()
        request.payload = Bytes(repeatElement(1, count: 2000))
        let error = await #expect(throws: RPCError.self) {
            try await client.call(EchoTest.Echo.unary, request)
        }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message.contains("2003") == true)
        #expect(error?.message.contains("1000") == true)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test(arguments: StatusCode.allCases.filter { $0 != .ok })
    func everyStatusTravelsWithItsMessage(code: StatusCode) async throws {
        let (server, client) = try start()
        var request = EchoTest.EchoRequest()
        var failure = GoogleRPC.Status()
        failure.code = Int32(code.rawValue)
        failure.message = "grün 100 %\n\(code.name)"
        request.failure = failure
        let error = await #expect(throws: RPCError.self) {
            try await client.call(EchoTest.Echo.unary, request)
        }
        #expect(error?.code == code)
        #expect(error?.message == failure.message)
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func metadataTravelsBothWays() async throws {
        let (server, client) = try start()
        var metadata = Metadata()
        metadata.append("echo-initial-word", "first")
        metadata.append("echo-trailing-raw-bin", bytes: [0, 255, 128, 44])
        var request = EchoTest.EchoRequest()
        request.echoMetadata = true
        let reply = try await client.reply(
            EchoTest.Echo.unary, request, options: CallOptions(metadata: metadata))
        #expect(reply.initialMetadata["echo-initial-word"] == "first")
        #expect(reply.trailingMetadata.bytes("echo-trailing-raw-bin") == [0, 255, 128, 44])
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func aThousandCallsShareOneConnection() async throws {
        let (server, client) = try start()
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            for index in 0..<1000 as Range<UInt64> {
                group.addTask {
                    var request = EchoTest.EchoRequest()
                    request.sequenceNumber = index
                    request.delayMilliseconds = 20
                    return try await client.call(EchoTest.Echo.unary, request).sequenceNumber
                }
            }
            var sum: UInt64 = 0
            for try await number in group { sum += number }
            #expect(sum == 499_500)
        }
        #expect(await server.connectionCount() == 1)
        await client.close()
        await server.drain(graceSeconds: 1)
    }
}
