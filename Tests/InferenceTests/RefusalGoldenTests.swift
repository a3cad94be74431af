import Base
import GoldenModels
import Messages
import RPC
import Testing

@testable import InferenceService

/// Bad requests are refused at once, with the field and the numbers.
struct RefusalGoldenTests {
    @Test(arguments: GoldenFamily.all.prefix(1))
    func badTurnsAndImagesAreNamed(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let long = try await harness.refusal { request in
                request.turns[0].parts.append(
                    .with { $0.part = .text(String(repeating: "word ", count: 1 << 16)) })
            }
            #expect(long?.code == .invalidArgument && long?.reason == "PROMPT_TOO_LONG")
            let answer = try await harness.refusal { $0.sampling?.tokensMax = 1 << 30 }
            #expect(answer?.reason == "PROMPT_TOO_LONG")
            let many = try await harness.refusal { request in
                request.images = (0..<65).map { _ in .with { $0.source = .content(Bytes("x")) } }
            }
            #expect(many?.code == .invalidArgument && many?.reason == "TOO_MANY_IMAGES")
            #expect(many?.message.contains("65") == true && many?.message.contains("64") == true)
            let placed = try await harness.refusal { request in
                request.images.append(.with { $0.source = .content(Self.pngHeader(1, 1)) })
            }
            #expect(placed?.reason == "IMAGE_PLACEHOLDER_MISMATCH")
            let last = try await harness.refusal { request in
                request.turns.append(
                    .with {
                        $0.role = .assistant
                        $0.parts = [.with { $0.part = .text("yes") }]
                    })
            }
            #expect(last?.reason == "TURNS_INVALID")
            let none = try await harness.refusal { $0.turns = [] }
            #expect(none?.reason == "FIELD_REQUIRED" && none?.fields == ["turns"])
            let nul = try await harness.refusal { request in
                request.turns[0].parts.append(.with { $0.part = .text("a\u{0}b") })
            }
            #expect(nul?.code == .invalidArgument)
        }
    }

    @Test(arguments: GoldenFamily.all.prefix(1))
    func hostileImagesAreRefusedByTheirHeaders(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            func refusal(_ bytes: Bytes) async throws -> Refusal? {
                try await harness.refusal { request in
                    request.images = [.with { $0.source = .content(bytes) }]
                    request.turns = [
                        .with {
                            $0.role = .user
                            $0.parts = [.with { $0.part = .imageIndex(0) }]
                        }
                    ]
                }
            }
            let bomb = try await refusal(Self.pngHeader(60_000, 60_000))
            #expect(bomb?.code == .invalidArgument && bomb?.reason == "IMAGE_TOO_LARGE")
            #expect(bomb?.fields == ["images[0].content"])
            #expect(bomb?.message.contains("60000") == true)
            let other = try await refusal(Bytes("not an image"))
            #expect(other?.code == .invalidArgument && other?.reason == "IMAGE_UNREADABLE")
            let cut = try await refusal(Self.pngHeader(30, 30))
            #expect(cut?.code == .invalidArgument && cut?.reason == "IMAGE_UNREADABLE")
        }
    }

    @Test(arguments: GoldenFamily.all.prefix(1))
    func contradictionsAndWhatIsNotThereAreRefused(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let topP = try await harness.refusal { $0.sampling?.topP = 0.5 }
            #expect(topP?.reason == "FIELDS_CONFLICT")
            #expect(topP?.fields == ["sampling.top_p", "sampling.temperature"])
            let hot = try await harness.refusal { $0.sampling?.temperature = 3 }
            #expect(hot?.reason == "FIELD_INVALID" && hot?.fields == ["sampling.temperature"])
            let same = try await harness.refusal { $0.answerCount = 2 }
            #expect(same?.reason == "FIELDS_CONFLICT")
            let nan = try await harness.refusal { $0.sampling?.temperature = .nan }
            #expect(nan?.reason == "FIELD_INVALID")
            let later = try await harness.refusal {
                $0.constraint = .with { $0.constraint = .anyJSON(true) }
            }
            #expect(later?.code == .unimplemented && later?.fields == ["constraint"])
            let adapter = try await harness.refusal { $0.target = "adapters/unknown" }
            #expect(adapter?.code == .notFound && adapter?.reason == "RESOURCE_NOT_FOUND")
            let model = try await harness.refusal { $0.target = "models/other" }
            #expect(model?.code == .notFound)
            let stop = try await harness.refusal { $0.sampling?.stopTexts = [""] }
            #expect(stop?.fields == ["sampling.stop_texts[0]"])
        }
    }

    /// A queue of one: the third request is told when to come back, with both numbers.
    @Test(arguments: GoldenFamily.all.prefix(1))
    func aFullQueueTellsWhenToReturn(golden: GoldenFamily) async throws {
        let harness = try InferenceHarness(golden, cachePages: 8, sequencesMax: 1, waitingMax: 1)
        let request = try GenerateRequest(GoldenQuestion(golden))
        let refusals = await withTaskGroup(of: Refusal?.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    await Refusal.of { _ = try await harness.generate(request) }
                }
            }
            return await group.reduce(into: [Refusal]()) { if let one = $1 { $0.append(one) } }
        }
        #expect(!refusals.isEmpty && refusals.count < 12)
        for refusal in refusals {
            #expect(refusal.code == .resourceExhausted && refusal.reason == "QUEUE_FULL")
            #expect(refusal.details.contains(.retry(afterSeconds: 1)))
        }
        #expect(await harness.served.engine.load.pagesFree == 8)
        await harness.close()
    }

    @Test func withoutAModelEveryCallSaysWhatToDo() async throws {
        let server = InferenceHarness.server(InferenceServer.router(nil, messageBytesMax: 1 << 20))
        let client = try server.connectInProcess()
        let refusal = await Refusal.of {
            _ = try await client.call(Inference.getModelInfo, GetModelInfoRequest())
        }
        #expect(refusal?.code == .failedPrecondition && refusal?.reason == "STATE_INVALID")
        #expect(refusal?.message.contains("--model") == true)
        await client.close()
        await server.drain(graceSeconds: 0)
    }

    /// A PNG file that ends after its header.
    private static func pngHeader(_ width: UInt32, _ height: UInt32) -> Bytes {
        var bytes: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]
        var chunk: [UInt8] = Array("IHDR".utf8)
        for side in [width, height] {
            chunk += (0..<4).map { UInt8(truncatingIfNeeded: side >> (24 - 8 * $0)) }
        }
        chunk += [8, 2, 0, 0, 0]
        var crc: UInt32 = .max
        for byte in chunk {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
        }
        bytes += chunk + (0..<4).map { UInt8(truncatingIfNeeded: ~crc >> (24 - 8 * $0)) }
        return Bytes(bytes)
    }
}
