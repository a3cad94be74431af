import Base
import Foundation
import Generation
import Messages
import Models
import Resources

/// A request for answers, from its arrival to the engine's queue.
struct AnswerCall: Sendable {
    let requestID: String
    let target: ServingTarget
    let servedBy: ServedBy
    let prompt: PreparedPrompt
    let seed: UInt64
    let start: (arrival: MonotonicTime, queued: MonotonicTime)
    let wants: Wants
    let events: AsyncThrowingStream<EngineEvent, any Error>

    /// What the answer is to say besides its text.
    struct Wants: Sendable {
        let probabilities, confidence: Bool
        let abstain: Double?
    }

    /// Checks, prepares and queues a request.
    /// - Parameter tenant: who shares the model with others
    init(_ request: GenerateRequest, of tenant: String, _ served: ServedModel) async throws {
        let arrival = MonotonicTime.now()
        requestID = try RequestRules.id(request.requestID)
        try RequestRules.attributes(request.attributes)
        try RequestRules.abstention(request.abstainConfidence)
        let rules = try AnswerRules(request, drawnSeed: .random(in: .min ... .max))
        let conversation = try Conversation(request.turns, images: request.images.count)
        let target = try await served.target(request.target)
        let images = request.images
        prompt = try await served.prepare { try await $0.prompt(conversation, images) }
        var generation = try Self.generation(prompt, rules, target, served)
        (generation.tenant, generation.priority) = (tenant, Int(request.priority))
        generation.imageNames = prompt.imageNames
        (self.target, servedBy, seed) = (target, served.servedBy(target), rules.seed)
        wants = Wants(
            probabilities: request.includeLogProbabilities, confidence: request.includeConfidence,
            abstain: request.abstainConfidence)
        let queued = MonotonicTime.now()
        start = (arrival, queued)
        let limit = request.queueLimit.map { Double($0.seconds) + Double($0.nanos) / 1e9 }
        events = await served.engine.answer(
            generation, queueDeadline: limit.map { queued.advanced(bySeconds: $0) })
    }

    private static func generation(
        _ prompt: PreparedPrompt, _ rules: AnswerRules, _ target: ServingTarget,
        _ served: ServedModel
    ) throws -> GenerationRequest {
        let rows = prompt.input.ids.count
        let lengthMax = served.model.model.decoder.config.lengthMax
        let imageTokens = prompt.input.imageRows.reduce(0) { $0 + $1.count }
        guard rows + (rules.tokensMax ?? 1) <= lengthMax else {
            throw InferenceError.promptTooLong(
                tokens: rows, imageTokens: imageTokens, answerTokens: rules.tokensMax ?? 1,
                tokensMax: lengthMax)
        }
        let cacheRows = served.limits.pages * served.limits.pageRows
        let room = min(lengthMax - rows, max(1, cacheRows / rules.samples - rows))
        var request = GenerationRequest(
            prompt.input, rules: rules.rules,
            tokensMax: rules.tokensMax ?? min(InferenceLimits.answerTokensStandard, room),
            stopTokens: rules.endsAtStopTokens ? served.stopTokens : [],
            stopTexts: rules.stopTexts)
        (request.seed, request.samples) = (rules.seed, rules.samples)
        request.topLogProbabilities = rules.alternatives
        request.adapter = target.adapter
        return request
    }
}

/// Checks that requests for answers and for scores share.
enum RequestRules {
    /// The id of the request, or a new one.
    static func id(_ given: String) throws -> String {
        given.isEmpty ? UUID().uuidString.lowercased() : try RepeatedRequests.checked(given)
    }

    static func attributes(_ attributes: [String: String]) throws {
        try FieldRules.range(
            "attributes (their number)", attributes.count, 0...InferenceLimits.attributesMax)
        for (key, value) in attributes {
            try FieldRules.size("attributes (a key)", key, InferenceLimits.attributeBytesMax)
            try FieldRules.size("attributes.\(key)", value, InferenceLimits.attributeBytesMax)
        }
    }

    static func abstention(_ limit: Double?) throws {
        if let limit { try FieldRules.range("abstain_confidence", limit, 0...1) }
    }
}
