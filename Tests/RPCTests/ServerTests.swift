import Base
import Foundation
import Messages
import TestSupport
import Testing

@testable import RPC

/// A server's life and its defences, over real sockets and the in-process transport.
@Suite struct ServerTests {
    private func echo(_ change: (inout ServerConfiguration) -> Void = { _ in }) -> Server {
        var router = Router()
        EchoService().register(in: &router)
        var configuration = ServerConfiguration()
        change(&configuration)
        return Server(router: router, configuration: configuration)
    }

    /// Whether something becomes true within ten seconds.
    private func eventually(_ condition: () async -> Bool) async throws -> Bool {
        let end = MonotonicTime.now().advanced(bySeconds: 10)
        while await !condition(), MonotonicTime.now() < end {
            try await Task.sleep(for: .milliseconds(5))
        }
        return await condition()
    }

    /// Messages that wait in the buffers of a server with one loop.
    private func bufferedBytes(_ server: Server) async -> Int {
        await server.hosts[0].run { $0.bufferedBytes }
    }

    private func temporaryPath() -> String { "/tmp/fovea-test-\(UUID().uuidString.prefix(8)).sock" }

    @Test func oneServerListensOnSeveralAddresses() async throws {
        let server = echo()
        let path = temporaryPath()
        let addresses = [
            try server.listen(on: .unix(path: path)),
            try server.listen(on: .tcp(host: "127.0.0.1", port: 0)),
            try server.listen(on: .tcp(host: "::1", port: 0)),
        ]
        for address in addresses {
            let client = Client(address)
            _ = try await client.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
            await client.close()
        }
        await server.drain(graceSeconds: 1)
        #expect(access(path, F_OK) != 0, "the socket file is gone")
    }

    @Test func anAddressInUseIsRefused() async throws {
        let server = echo()
        let path = temporaryPath()
        let unix = try server.listen(on: .unix(path: path))
        let tcp = try server.listen(on: .tcp(host: "127.0.0.1", port: 0))
        for address in [unix, tcp] {
            #expect(throws: AddressError.inUse(address)) { try server.listen(on: address) }
        }
        await server.drain(graceSeconds: 1)
    }

    @Test func aStaleSocketIsReplacedAndAFileIsNot() async throws {
        let path = temporaryPath()
        // A listener that dies without removing its file, as after kill -9.
        let dead = try Listener.open(.unix(path: path), allowsRemote: false, socketMode: 0o600)
        Glibc.close(dead.descriptor)
        #expect(access(path, F_OK) == 0)
        let server = echo()
        _ = try server.listen(on: .unix(path: path))
        await server.drain(graceSeconds: 1)

        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        defer { unlink(path) }
        let other = echo()
        let error = #expect(throws: AddressError.self) {
            try other.listen(on: .unix(path: path))
        }
        #expect(error?.message.contains("no socket") == true)
        #expect(access(path, F_OK) == 0)
        await other.drain(graceSeconds: 1)
    }

    @Test func tcpBeyondLoopbackNeedsTLSOrConsent() async throws {
        let server = echo()
        let address = Address.tcp(host: "0.0.0.0", port: 0)
        #expect(throws: AddressError.insecure(address)) { try server.listen(on: address) }
        await server.drain(graceSeconds: 1)
    }

    @Test func aDrainLetsCallsInFlightFinish() async throws {
        let server = echo()
        let address = try server.listen(on: .unix(path: temporaryPath()))
        let client = Client(address)
        var request = EchoTest.EchoRequest()
        request.delayMilliseconds = 300
        request.responseCount = 2
        let responses = try await client.call(EchoTest.Echo.serverStream, request)
        _ = try await responses.next()
        async let drained: Void = server.drain(graceSeconds: 20)
        #expect(try await responses.next() != nil)
        #expect(try await responses.next() == nil)
        await drained
        let error = await #expect(throws: RPCError.self) {
            try await client.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
        }
        #expect(error?.code == .unavailable)
        await client.close()
    }

    @Test func aDrainEndsCallsThatOutlastItsGrace() async throws {
        let server = echo()
        let client = try server.connectInProcess()
        let (requests, responses) = try await client.call(EchoTest.Echo.bidirectional)
        try await requests.write(EchoTest.EchoRequest())
        _ = try await responses.next()
        await server.drain(graceSeconds: 0.05)
        let error = await #expect(throws: RPCError.self) { try await responses.next() }
        #expect(error?.code == .unavailable)
        await client.close()
    }

    @Test func aClientReconnectsToAServerThatReturns() async throws {
        let path = temporaryPath()
        let first = echo()
        let address = try first.listen(on: .unix(path: path))
        let client = Client(address)
        _ = try await client.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
        await first.drain(graceSeconds: 1)
        async let waiting = client.call(
            EchoTest.Echo.unary, EchoTest.EchoRequest(),
            options: CallOptions(timeoutSeconds: 30, waitsForReady: true))
        let second = echo()
        _ = try second.listen(on: address)
        _ = try await waiting
        await client.close()
        await second.drain(graceSeconds: 1)
    }

    @Test func aCallToNobodyFailsAndNamesTheAddress() async throws {
        let client = Client(.unix(path: temporaryPath()))
        let error = await #expect(throws: RPCError.self) {
            try await client.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("fovea-test-") == true)
        await client.close()
    }

    @Test func aSlowReaderHoldsTheWriterBack() async throws {
        let server = echo()
        let client = try server.connectInProcess()
        var request = EchoTest.EchoRequest()
        request.responseCount = 100_000
        request.responseBytes = 100_000
        let responses = try await client.call(EchoTest.Echo.serverStream, request)
        for _ in 0..<100 { _ = try await responses.next() }
        // 10 GB are asked for; the queue of the stream and one message wait.
        #expect(await bufferedBytes(server) < 2 << 20)
        responses.cancel()
        await client.close()
        await server.drain(graceSeconds: 5)
    }

    @Test func aSlowHandlerHoldsTheUploaderBack() async throws {
        let server = echo()
        let client = try server.connectInProcess()
        let (requests, _) = try await client.call(EchoTest.Echo.bidirectional)
        var first = EchoTest.EchoRequest()
        first.readDelayMilliseconds = 600_000
        try await requests.write(first)
        let uploader = Task {
            var request = EchoTest.EchoRequest()
            request.payload = Bytes(repeatElement(0, count: 1 << 20))
            for _ in 0..<500 { try await requests.write(request) }
        }
        // 500 MiB are on their way; the writer comes to a stop at the window of the stream.
        #expect(try await eventually { await bufferedBytes(server) > 3 << 20 })
        for _ in 0..<20 {
            #expect(await bufferedBytes(server) < 8 << 20)
            try await Task.sleep(for: .milliseconds(5))
        }
        uploader.cancel()
        await client.close()
        await server.drain(graceSeconds: 5)
    }

    @Test func silentConnectionsAreClosed() async throws {
        let server = echo {
            $0.limits.handshakeSeconds = 0.1
            $0.limits.keepaliveSeconds = 0.1
            // Long enough for an honest peer on a slow machine.
            $0.limits.keepaliveTimeoutSeconds = 3
        }
        let silent = RawSocket(adopting: try server.connectRawInProcess())
        let deaf = RawSocket(adopting: try server.connectRawInProcess())
        deaf.send(HostileTraffic.preface + HostileTraffic.frame(type: 4, flags: 0, stream: 0, []))
        let honest = try server.connectInProcess()
        #expect(silent.readToEnd() != nil)
        #expect(deaf.readToEnd() != nil)
        // A peer that answers pings stays.
        _ = try await honest.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
        #expect(await server.connectionCount() == 1)
        await honest.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func unknownPathsAreUnimplementedByName() async throws {
        let server = echo()
        let client = try server.connectInProcess()
        for (service, name, reason) in [
            ("fovea.testing.v1.Echo", "Nothing", "no method 'Nothing'"),
            ("fovea.testing.v1.Nobody", "Unary", "no service"),
        ] {
            let method = UnaryMethod<EchoTest.EchoRequest, EchoTest.EchoResponse>(
                MethodPath(service: service, name: name))
            let error = await #expect(throws: RPCError.self) {
                try await client.call(method, EchoTest.EchoRequest())
            }
            #expect(error?.code == .unimplemented)
            #expect(error?.message.contains(reason) == true)
        }
        await client.close()
        await server.drain(graceSeconds: 1)
    }

    @Test func anEarlyAnswerIsNotFollowedByAResetWhileTheRequestEnds() async throws {
        let server = echo()
        let socket = RawSocket(adopting: try server.connectRawInProcess())
        let headers =
            [0x83, 0x86] + HostileTraffic.literal(":path", "/no/Method")
            + HostileTraffic.literal(":authority", "x")
            + HostileTraffic.literal("content-type", "application/grpc")
        socket.send(
            HostileTraffic.preface + HostileTraffic.frame(type: 4, flags: 0, stream: 0, [])
                + HostileTraffic.frame(type: 1, flags: 4, stream: 1, headers))
        // The answer (HEADERS) is there before the request has ended; a reset (RST_STREAM) would
        // come before the answer to the ping.
        #expect(socket.readFrameTypes(until: 1).last == 1)
        socket.send(
            HostileTraffic.frame(type: 0, flags: 1, stream: 1, [0, 0, 0, 0, 0])
                + HostileTraffic.frame(type: 6, flags: 0, stream: 0, Array(repeating: 1, count: 8)))
        let types = socket.readFrameTypes(until: 6)
        #expect(types.last == 6 && !types.contains(3))
        socket.finish()
        #expect(socket.readToEnd() != nil)
        await server.drain(graceSeconds: 1)
    }

    @Test func aDrainedServerLeavesNoLoopBehind() async throws {
        weak var host: ServerLoop?
        do {
            let server = echo()
            host = server.hosts.first
            let client = try server.connectInProcess()
            _ = try await client.call(EchoTest.Echo.unary, EchoTest.EchoRequest())
            // The end of the grace is still far away when the last connection has ended.
            await server.drain(graceSeconds: 1000)
            await client.close()
        }
        let isGone = try await eventually { host == nil }
        #expect(isGone)
    }
}
