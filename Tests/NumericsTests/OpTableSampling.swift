import Numerics

extension OpTable {
    static let sampling: [String: Op] = [
        // The probability of each token of the vocabulary.
        "sampling": { inputs in
            let x = inputs["x"]
            guard let rules = try? inputs.samplingRules() else {
                preconditionFailure("rules that are none")
            }
            var probabilities = [Float](repeating: 0, count: x.shape.count)
            let candidates = Sampler(rules).candidates(
                logits: x.floats(), previous: inputs.integers("previous"))
            for candidate in candidates {
                probabilities[Int(candidate.token)] = Float(candidate.probability)
            }
            return Tensor(probabilities, x.shape, on: x.backend)
        }
    ]
}

extension OpInputs {
    fileprivate func samplingRules() throws -> SamplingRules {
        func float(_ name: String) -> Float? {
            optional(name, Double.self).map { Float($0) }
        }
        return try SamplingRules(
            temperature: float("temperature") ?? 1, topK: optional("topK", Int.self),
            topP: float("topP"), minP: float("minP"),
            repetitionPenalty: float("repetitionPenalty") ?? 1)
    }
}
