import Base
import Foundation
import Messages
import Resources

extension ServedModel {
    /// `ScoreChoices`: the likelihood of each choice as the whole answer, end token included.
    func score(
        _ request: ScoreChoicesRequest, by principal: String
    ) async throws -> ScoreChoicesResponse {
        let arrival = MonotonicTime.now()
        let visit = try tenants.enter(principal, target: request.target)
        defer { visit.end() }
        let id = try RequestRules.id(request.requestID)
        try Self.check(request)
        let conversation = try Conversation(request.turns, images: request.images.count)
        let target = try await target(request.target)
        let use = shelf.use(target)
        defer { use.end() }
        let (images, choices) = (request.images, request.choices)
        let (prompt, encoded) = try await prepare { preparer in
            let prompt = try await preparer.prompt(conversation, images)
            return (
                prompt,
                try await preparer.choices(choices, after: conversation.messages, prompt)
            )
        }
        let queued = MonotonicTime.now()
        let scores = try await engine.score(
            ScoreWork(prompt: prompt.input, choices: encoded, adapter: target.adapter))
        let ranked = Self.ranked(choices, scores, isMean: request.normalizeByTokens)
        let confidence = ranked.first?.probability ?? 0
        return .with {
            $0.requestID = id
            $0.scores = ranked
            $0.confidence = .with { $0.confidence = confidence }
            $0.needsPerson = request.abstainConfidence.map { confidence < $0 } ?? false
            $0.usage = prompt.usage
            $0.servedBy = servedBy(target)
            $0.timing = .with {
                $0.decodeImageSeconds = prompt.decodeSeconds
                $0.resizeImageSeconds = prompt.resizeSeconds
                $0.prefillSeconds = MonotonicTime.now().seconds(since: queued)
                $0.totalSeconds = MonotonicTime.now().seconds(since: arrival)
            }
        }
    }

    private static func check(_ request: ScoreChoicesRequest) throws {
        try RequestRules.attributes(request.attributes)
        try RequestRules.abstention(request.abstainConfidence)
        if request.subtractTextPrior || request.priority != 0 {
            throw InferenceError.unsupported(
                field: request.priority != 0 ? "priority" : "subtract_text_prior",
                why: "comes with a later release; leave it out")
        }
        try FieldRules.range(
            "choices (their number)", request.choices.count, 2...InferenceLimits.choicesMax)
        var seen: [String: Int] = [:]
        for (index, choice) in request.choices.enumerated() {
            let field = "choices[\(index)]"
            guard (1...InferenceLimits.choiceBytesMax).contains(choice.utf8.count) else {
                throw ResourceError.invalid(
                    field: field, seen: "\(choice.utf8.count) bytes",
                    allowed: "1 to \(InferenceLimits.choiceBytesMax) bytes are allowed")
            }
            guard !choice.utf8.contains(0) else { throw InferenceError.text(field: field) }
            if let other = seen.updateValue(index, forKey: choice) {
                throw ResourceError.invalid(
                    field: field, seen: choice, allowed: "it must differ from choices[\(other)]")
            }
        }
    }

    /// Likeliest first; equal ones in the order of the request.
    private static func ranked(
        _ choices: [String], _ scores: [[Double]], isMean: Bool
    ) -> [ChoiceScore] {
        let sums = scores.map { tokens in
            tokens.reduce(0, +) / (isMean ? Double(max(1, tokens.count)) : 1)
        }
        let largest = sums.max() ?? 0
        let total = sums.reduce(0) { $0 + exp($1 - largest) }
        return sums.indices.sorted { (-sums[$0], $0) < (-sums[$1], $1) }.map { index in
            .with {
                $0.choice = choices[index]
                $0.choiceIndex = UInt32(index)
                $0.logProbability = sums[index]
                $0.probability = exp(sums[index] - largest) / total
                $0.tokenCount = UInt32(scores[index].count)
            }
        }
    }
}
