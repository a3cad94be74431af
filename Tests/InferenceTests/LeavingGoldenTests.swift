import GoldenModels
import Messages
import RPC
import Testing

@testable import InferenceService

/// Callers who go give back what they had.
struct LeavingGoldenTests {
    @Test(arguments: GoldenFamily.all.prefix(1))
    func aCallerWhoLeavesFreesItsPages(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            var request = try GenerateRequest(GoldenQuestion(golden, withImages: true))
            request.sampling?.tokensMax = 1_000
            let stream = try await harness.client.call(Inference.generateStream, request)
            var deltas = 0
            while let message = try await stream.next(), deltas < 2 {
                if case .delta? = message.part { deltas += 1 }
            }
            #expect(await harness.served.engine.load.pagesFree < 64)
            stream.cancel()
            // The engine takes callers who left in between two passes.
            for _ in 0..<100_000 where await harness.served.engine.load.pagesFree < 64 {
                await Task.yield()
            }
            let load = await harness.served.engine.load
            #expect(load.pagesFree == 64 && load.running == 0 && load.waiting == 0)
        }
    }

    @Test(arguments: GoldenFamily.all.prefix(1))
    func aDeadlineEndsAnAnswer(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            var request = try GenerateRequest(GoldenQuestion(golden, withImages: true))
            request.sampling?.tokensMax = 3_000
            let asked = request
            let refusal = await Refusal.of {
                _ = try await harness.client.call(
                    Inference.generate, asked, options: CallOptions(timeoutSeconds: 0.3))
            }
            #expect(refusal?.code == .deadlineExceeded)
            for _ in 0..<100_000 where await harness.served.engine.load.pagesFree < 64 {
                await Task.yield()
            }
            #expect(await harness.served.engine.load.pagesFree == 64)
        }
    }
}
