import Base
import GoldenModels
import Messages
import RPC
import Testing

@testable import InferenceService

/// Ten times more callers than there is room for.
struct OverloadGoldenTests {
    @Test(arguments: GoldenFamily.all.prefix(1))
    func whoIsTakenIsAnsweredAndTheRestAreToldWhenToComeAgain(
        golden: GoldenFamily
    ) async throws {
        try await InferenceHarness.with(golden, sequencesMax: 2, waitingMax: 4) { harness in
            let question = try GoldenQuestion(golden)
            let request = GenerateRequest(question)
            let outcomes = await withTaskGroup(of: (String?, Refusal?).self) { group in
                for _ in 0..<60 {
                    group.addTask {
                        do {
                            return (try await harness.generate(request).answers.first?.text, nil)
                        } catch {
                            return (nil, await Refusal.of { throw error })
                        }
                    }
                }
                var outcomes: [(text: String?, refusal: Refusal?)] = []
                for await (text, refusal) in group { outcomes.append((text, refusal)) }
                return outcomes
            }
            let answers: [String] = outcomes.compactMap { $0.text }
            let refusals: [Refusal] = outcomes.compactMap { $0.refusal }
            #expect(answers.count + refusals.count == 60)
            #expect(answers.allSatisfy { $0 == question.text } && answers.count >= 2)
            #expect(refusals.count > 0)
            for refusal in refusals {
                #expect(refusal.code == .resourceExhausted, "\(refusal)")
                #expect(refusal.message.contains("at most 4"), "\(refusal)")
                let waits = refusal.details.filter {
                    if case .retry = $0 { true } else { false }
                }
                #expect(waits.count == 1)
            }
            let load = await harness.served.engine.load
            #expect((load.running, load.waiting, load.pagesFree) == (0, 0, 64))
        }
    }
}
