package import Base

/// How the next token is chosen from its logits. Every rule that is not wanted is left out; then
/// tokens are drawn with the model's own probabilities.
package struct SamplingRules: Hashable, Sendable {
    /// Logits are divided by it. 0: always the most probable token.
    package let temperature: Float
    /// Only the most probable tokens, this many and those as probable as the last of them.
    package let topK: Int?
    /// Only the most probable tokens that together have at least this probability.
    package let topP: Float?
    /// Only tokens with at least this share of the largest probability.
    package let minP: Float?
    /// Above 1: makes tokens that were there before less probable; below 1 more.
    package let repetitionPenalty: Float

    package init(
        temperature: Float = 1, topK: Int? = nil, topP: Float? = nil, minP: Float? = nil,
        repetitionPenalty: Float = 1
    ) throws(SamplingRulesError) {
        guard temperature >= 0, temperature.isFinite else { throw .temperature(temperature) }
        if let topK, topK < 1 { throw .topK(topK) }
        if let topP, !(topP > 0 && topP <= 1) { throw .topP(topP) }
        if let minP, !(minP >= 0 && minP <= 1) { throw .minP(minP) }
        guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
            throw .repetitionPenalty(repetitionPenalty)
        }
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
    }

    private init() {
        (temperature, repetitionPenalty) = (0, 1)
        (topK, topP, minP) = (nil, nil, nil)
    }

    /// Always the most probable token.
    package static let greedy = SamplingRules()
}

/// A sampling rule with a value that means nothing.
package enum SamplingRulesError: Failure, Hashable {
    case temperature(Float)
    case topK(Int)
    case topP(Float)
    case minP(Float)
    case repetitionPenalty(Float)

    package var kind: FailureKind { .invalidInput }
    package var reason: String { "SAMPLING_INVALID" }

    package var message: String {
        switch self {
        case .temperature(let value): "temperature is \(value); it is 0 (greedy) or a number above"
        case .topK(let value): "top_k is \(value); it is at least 1, or left out"
        case .topP(let value): "top_p is \(value); it is above 0 and at most 1"
        case .minP(let value): "min_p is \(value); it is from 0 to 1"
        case .repetitionPenalty(let value): "repetition_penalty is \(value); it is above 0"
        }
    }
}
