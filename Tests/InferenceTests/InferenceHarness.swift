import Base
import Foundation
import GoldenModels
import Messages
import Operation
import RPC
import Text

@testable import InferenceService

/// The service with a model of the reference set and a folder of its own, called in the same
/// process.
final class InferenceHarness: Sendable {
    let folder: String
    let golden: GoldenFamily
    let served: ServedModel
    let metrics = MetricsRegistry()
    let server: Server
    let client: Client

    init(
        _ golden: GoldenFamily, folder: String? = nil, cachePages: Int = 64,
        sequencesMax: Int = 16, waitingMax: Int = 64, tenantsFile: String? = nil
    ) throws {
        self.golden = golden
        self.folder = folder ?? "/tmp/fovea-inference-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: self.folder, withIntermediateDirectories: true)
        var settings = ServingSettings(
            folder: golden.folder, dataFolder: self.folder, cachePages: cachePages,
            sequencesMax: sequencesMax, waitingMax: waitingMax,
            adapterRoots: [golden.folder, self.folder])
        settings.tenantsFile = tenantsFile
        served = try ServedModel(settings, metrics)
        server = Self.server(InferenceServer.router(served, messageBytesMax: 1 << 26))
        client = try server.connectInProcess()
    }

    static func server(_ router: Router) -> Server {
        Server(
            router: router,
            encodeDetails: { error in
                StatusDetails.encode(
                    code: Int32(error.code.rawValue), message: error.message,
                    reason: error.reason, domain: "fovea", facts: error.facts,
                    details: error.details)
            })
    }

    func close() async {
        await client.close()
        await server.drain(graceSeconds: 0)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Runs a test with a service, and ends it whatever happens.
    static func with(
        _ golden: GoldenFamily, cachePages: Int = 64, sequencesMax: Int = 16,
        waitingMax: Int = 64, _ body: (InferenceHarness) async throws -> Void
    ) async throws {
        let harness = try InferenceHarness(
            golden, cachePages: cachePages, sequencesMax: sequencesMax, waitingMax: waitingMax)
        do { try await body(harness) } catch {
            await harness.close()
            throw error
        }
        await harness.close()
    }

    func generate(_ request: GenerateRequest) async throws -> GenerateResponse {
        try await client.call(
            Inference.generate, request, options: CallOptions(timeoutSeconds: 300))
    }

    /// How the call for an answer is refused.
    func refusal(
        _ change: (inout GenerateRequest) -> Void
    ) async throws -> Refusal? {
        var request = try GenerateRequest(GoldenQuestion(golden))
        change(&request)
        let asked = request
        return await Refusal.of { _ = try await generate(asked) }
    }
}

/// A question of the reference set with the answer of foreign software.
struct GoldenQuestion {
    let turns: [Turn]
    let images: [Bytes]
    let text: String
    let tokens: Int

    /// The last one, or the first with images.
    init(_ golden: GoldenFamily, withImages: Bool = false) throws {
        let cases = try golden.cases()
        let one = withImages ? cases.first { !$0.pictures.isEmpty } : cases.last
        guard let one else { throw GoldenGap() }
        try self.init(one, golden)
    }

    init(_ one: GoldenCase, _ golden: GoldenFamily) throws {
        images = try (one.node["images"]?.elements.compactMap(\.string) ?? []).map { name in
            try SmallFile.read("\(golden.folder)/\(name)", bytesMax: 1 << 26).get()
        }
        var image: UInt32 = 0
        turns = one.messages.dropLast().map { message in
            Turn.with { turn in
                turn.role = TurnRole(message.role)
                turn.parts = message.parts.map { part in
                    switch part {
                    case .text(let text): return .with { $0.part = .text(text) }
                    case .image:
                        defer { image += 1 }
                        return .with { $0.part = .imageIndex(image) }
                    }
                }
            }
        }
        text = one.node["greedy_text"]?.string ?? ""
        tokens = one.node["greedy_ids"].map { Array($0.elements).count } ?? 0
    }
}

struct GoldenGap: Error {}

extension TurnRole {
    fileprivate init(_ role: ChatMessage.Role) {
        self =
            switch role {
            case .system: .system
            case .user: .user
            case .assistant: .assistant
            }
    }
}

extension GenerateRequest {
    init(_ question: GoldenQuestion) {
        self.init()
        turns = question.turns
        images = question.images.map { bytes in .with { $0.source = .content(bytes) } }
        sampling = .with {
            $0.tokensMax = UInt32(question.tokens)
            $0.ignoreEndToken = true
        }
    }
}

/// How a call was refused.
struct Refusal: Sendable, CustomStringConvertible {
    let code: StatusCode
    let reason: String
    let message: String
    let details: [FailureDetail]

    var description: String { "\(code.name) \(reason): \(message)" }

    /// Fields that are named.
    var fields: [String] {
        details.compactMap { if case .field(let path, _) = $0 { path } else { nil } }
    }

    /// nil for a call that is not refused.
    static func of(_ call: () async throws -> Void) async -> Refusal? {
        do {
            try await call()
            return nil
        } catch let error as RPCError {
            let sent = error.encodedDetails.flatMap { try? StatusDetails.decode($0) }
            return Refusal(
                code: error.code, reason: sent?.reason ?? error.reason, message: error.message,
                details: sent?.details ?? error.details)
        } catch {
            return Refusal(code: .unknown, reason: "", message: "\(error)", details: [])
        }
    }
}
