package import Base

/// What the next token of one sequence is chosen by.
package struct SamplingRequest: Sendable {
    package let rules: SamplingRules
    /// Tokens for the repetition penalty.
    package let previous: [Int32]
    /// Of the sequence and this position: `RandomKey(seed: seed).child(position)`.
    package let key: RandomKey

    package init(rules: SamplingRules, previous: [Int32], key: RandomKey) {
        self.rules = rules
        self.previous = previous
        self.key = key
    }

    /// Whether the largest logit decides, so that the device can tell.
    fileprivate var isPlain: Bool { rules.temperature == 0 && rules.repetitionPenalty == 1 }
}

extension Tensor {
    /// Chooses the next token of each sequence. A sequence gets the same token in every batch.
    /// - Parameter requests: one for each row of self, logits `[N, V]`
    /// - Returns: `N` tokens, nil where a row has no number above −∞
    package func sampled(_ requests: [SamplingRequest]) -> [Int32?] {
        precondition(
            shape.rank == 2 && shape[0] == requests.count && shape[1] > 0 && type.isFloat,
            "sampled: logits \(shape) of \(type), \(requests.count) requests")
        let drawn = requests.indices.filter { !requests[$0].isPlain }
        let largest = drawn.count < requests.count ? detached().argmax().integers() : []
        var tokens = largest.isEmpty ? [Int32?](repeating: nil, count: requests.count) : largest
        for (row, token) in largest.enumerated() where token < 0 { tokens[row] = nil }
        let logits = detached().gathered(rows: drawn.map(Int32.init)).floats()
        for (place, row) in drawn.enumerated() {
            let own = Array(logits[place * shape[1]..<(place + 1) * shape[1]])
            tokens[row] = Sampler(requests[row].rules).token(
                logits: own, previous: requests[row].previous, key: requests[row].key)
        }
        return tokens
    }
}
