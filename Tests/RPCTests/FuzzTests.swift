import Base
import Messages
import TestSupport
import Testing

@testable import RPC

/// Damaged traffic from seeds. FOVEA_FUZZ_CASES and FOVEA_FUZZ_SEED choose how much and which.
@Suite struct RPCFuzzTests {
    private let cases = UInt64(RunSize.value("FOVEA_FUZZ_CASES", standard: 2000))
    private let firstSeed = UInt64(RunSize.value("FOVEA_FUZZ_SEED", standard: 1))

    @Test func aServerSurvivesWhateverAClientSends() async throws {
        var router = Router()
        EchoService().register(in: &router)
        let server = Server(router: router)
        let honest = try server.connectInProcess()
        for seed in firstSeed..<firstSeed + cases {
            let descriptor = try server.connectRawInProcess()
            let isOver = await blocking {
                var traffic = HostileTraffic(seed: seed)
                let socket = RawSocket(adopting: descriptor)
                socket.send(traffic.clientBytes())
                socket.finish()
                return socket.readToEnd() != nil
            }
            #expect(isOver, "the server holds on to seed \(seed)")
            if seed % 100 == 0 {
                var request = EchoTest.EchoRequest()
                request.sequenceNumber = seed
                let reply = try await honest.call(EchoTest.Echo.unary, request)
                #expect(reply.sequenceNumber == seed)
            }
        }
        await honest.close()
        await server.drain(graceSeconds: 5)
    }

    @Test func aClientSurvivesWhateverAServerSends() async throws {
        var configuration = ClientConfiguration()
        configuration.attemptsMax = 1
        for seed in firstSeed..<firstSeed + cases / 4 {
            let (mine, its) = try #require(Socket.pair())
            let client = Client(connected: mine, configuration: configuration)
            async let result: EchoTest.EchoResponse = client.call(
                EchoTest.Echo.unary, EchoTest.EchoRequest(),
                options: CallOptions(timeoutSeconds: 30))
            await blocking {
                var traffic = HostileTraffic(seed: seed)
                let socket = RawSocket(adopting: its)
                socket.send(traffic.serverBytes())
                socket.finish()
            }
            // Any answer will do; a trap or a hang will not.
            _ = try? await result
            await client.close()
        }
    }
}
