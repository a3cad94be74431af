import Generation
import Messages
import Numerics
import Resources

/// How a request wants its answers written, checked.
struct AnswerRules: Sendable {
    let rules: SamplingRules
    let seed: UInt64
    /// nil: as many as there is room for, up to the standard.
    let tokensMax: Int?
    let stopTexts: [String]
    let endsAtStopTokens: Bool
    let samples: Int
    /// nil: no log-probabilities.
    let alternatives: Int?

    /// - Parameter drawnSeed: for a request that brings none
    init(_ request: GenerateRequest, drawnSeed: UInt64) throws {
        let sampling = request.sampling ?? SamplingOptions()
        try Self.refuseUnsupported(request, sampling)
        let temperature = sampling.temperature ?? 0
        try FieldRules.range("sampling.temperature", temperature, 0...2)
        try FieldRules.range("sampling.min_p", sampling.minP, 0...1)
        try FieldRules.range("answer_count", request.answerCount, 0...64)
        try FieldRules.range("alternatives_max", request.alternativesMax, 0...20)
        try FieldRules.range("priority", request.priority, -100...100)
        try Self.refuseContradictions(request, sampling, temperature)
        samples = max(1, Int(request.answerCount))
        do throws(SamplingRulesError) {
            rules = try SamplingRules(
                temperature: Float(temperature),
                topK: sampling.topK == 0 ? nil : Int(sampling.topK),
                topP: sampling.topP.flatMap { $0 == 1 ? nil : Float($0) },
                minP: sampling.minP == 0 ? nil : Float(sampling.minP),
                repetitionPenalty: Float(sampling.repetitionPenalty ?? 1))
        } catch {
            throw Self.failure(error)
        }
        if let penalty = sampling.repetitionPenalty, penalty > 2 {
            throw ResourceError.invalid(
                field: "sampling.repetition_penalty", seen: "\(penalty)",
                allowed: "above 0 to 2 is allowed")
        }
        seed = sampling.seed ?? drawnSeed
        tokensMax = sampling.tokensMax == 0 ? nil : Int(sampling.tokensMax)
        (stopTexts, endsAtStopTokens) = (sampling.stopTexts, !sampling.ignoreEndToken)
        let needsProbabilities =
            request.includeLogProbabilities || request.includeConfidence
            || request.abstainConfidence != nil
        alternatives = needsProbabilities ? Int(request.alternativesMax) : nil
    }

    /// What this release cannot do is refused; nothing is left out in silence.
    private static func refuseUnsupported(
        _ request: GenerateRequest, _ sampling: SamplingOptions
    ) throws {
        let later = "comes with a later release; leave it out"
        let unsupported: [(String, Bool)] = [
            ("constraint", request.constraint != nil),
            ("sampling.frequency_penalty", sampling.frequencyPenalty != 0),
            ("sampling.presence_penalty", sampling.presencePenalty != 0),
            ("sampling.logit_biases", !sampling.logitBiases.isEmpty),
        ]
        for (field, isSet) in unsupported where isSet {
            throw InferenceError.unsupported(field: field, why: later)
        }
    }

    private static func refuseContradictions(
        _ request: GenerateRequest, _ sampling: SamplingOptions, _ temperature: Double
    ) throws {
        let choosing: [(String, Bool)] = [
            ("sampling.top_p", sampling.topP.map { $0 != 1 } ?? false),
            ("sampling.top_k", sampling.topK > 1), ("sampling.min_p", sampling.minP > 0),
        ]
        if temperature == 0 {
            for (field, isSet) in choosing where isSet {
                throw ResourceError.fieldsConflict(
                    "\(field) chooses among tokens, and temperature 0 always takes the likeliest;"
                        + " set sampling.temperature above 0 or leave \(field) out",
                    fields: [field, "sampling.temperature"])
            }
            guard request.answerCount < 2 else {
                throw ResourceError.fieldsConflict(
                    "answer_count is \(request.answerCount), and at temperature 0 all answers are"
                        + " the same; set sampling.temperature above 0 or ask for one",
                    fields: ["answer_count", "sampling.temperature"])
            }
        }
        if request.alternativesMax > 0, !request.includeLogProbabilities {
            throw ResourceError.fieldsConflict(
                "alternatives_max is \(request.alternativesMax) without include_log_probabilities;"
                    + " set it too",
                fields: ["alternatives_max", "include_log_probabilities"])
        }
    }

    private static func failure(_ error: SamplingRulesError) -> ResourceError {
        let (field, seen, allowed) =
            switch error {
            case .temperature(let value): ("temperature", "\(value)", "0 to 2")
            case .topK(let value): ("top_k", "\(value)", "0 or more")
            case .topP(let value): ("top_p", "\(value)", "above 0 to 1")
            case .minP(let value): ("min_p", "\(value)", "0 to 1")
            case .repetitionPenalty(let value): ("repetition_penalty", "\(value)", "above 0 to 2")
            }
        return .invalid(field: "sampling.\(field)", seen: seen, allowed: "\(allowed) is allowed")
    }
}
