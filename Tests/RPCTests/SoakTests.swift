import Base
import Messages
import TestSupport
import Testing

@testable import RPC

/// Long runs of calls. FOVEA_SOAK_CALLS chooses how many.
@Suite struct RPCSoakTests {
    @Test func manyCallsLeaveNothingBehind() async throws {
        var router = Router()
        EchoService().register(in: &router)
        let server = Server(router: router)
        let client = try server.connectInProcess()
        func run(_ count: Int) async throws {
            for _ in 0..<count {
                _ = try await client.call(
                    EchoTest.Echo.unary, EchoTest.EchoRequest(),
                    options: CallOptions(timeoutSeconds: 60))
            }
        }
        try await run(500)
        let before = ProcessMemory.residentBytes()
        let calls = RunSize.value("FOVEA_SOAK_CALLS", standard: 1000)
        try await run(calls)
        #expect(await server.hosts[0].run { $0.bufferedBytes } == 0)
        // Memory says something only where no other test runs beside this one.
        if calls > 10_000 { #expect(ProcessMemory.residentBytes() - before < 4 << 20) }
        await client.close()
        await server.drain(graceSeconds: 1)
    }
}
