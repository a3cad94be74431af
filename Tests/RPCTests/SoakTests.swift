import Base
import Messages
import RPC
import TestSupport
import Testing

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
        try await run(RunSize.value("FOVEA_SOAK_CALLS", standard: 3000))
        #expect(ProcessMemory.residentBytes() - before < 16 << 20)
        await client.close()
        await server.drain(graceSeconds: 1)
    }
}
