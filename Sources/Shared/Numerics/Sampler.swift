package import Base
import Glibc

/// Chooses the next token of one sequence from its logits, on the host. What it chooses depends on
/// the logits, the rules, the tokens before and the key alone: not on other sequences.
///
/// The rules apply in the order of transformers (`_get_logits_processor`, the same from 4.39 to
/// 5.x): repetition penalty, temperature, top-k, top-p, min-p. Where logits are equal at the border
/// of top-p, the tokens with lower ids stay.
package struct Sampler: Sendable {
    /// A token that may be chosen.
    package struct Candidate: Hashable, Sendable {
        package let token: Int32
        /// After all rules; the candidates' probabilities add up to 1.
        package let probability: Double
    }

    package let rules: SamplingRules

    package init(_ rules: SamplingRules) { self.rules = rules }

    /// Draws a token.
    /// - Parameters:
    ///   - logits: one for each token of the vocabulary
    ///   - previous: tokens for the repetition penalty, in any order; others than the
    ///     vocabulary's do not count
    ///   - key: of the sequence and this position
    /// - Returns: nil if no logit is a number above −∞
    package func token(
        logits: [Float], previous: some Sequence<Int32> = [], key: RandomKey
    ) -> Int32? {
        let candidates = candidates(logits: logits, previous: previous)
        let place = Double(key.uniform(at: 0)) + Double(key.uniform(at: 1)) * 0x1p-24
        var sum = 0.0
        for candidate in candidates {
            sum += candidate.probability
            if place < sum { return candidate.token }
        }
        return candidates.last?.token
    }

    /// The tokens that the rules leave, with their probabilities: the most probable ones first
    /// where a rule needs that order, else by their ids.
    package func candidates(
        logits: [Float], previous: some Sequence<Int32> = []
    ) -> [Candidate] {
        let logits = penalised(logits, previous)
        let largest = logits.reduce(-Float.infinity) { $1 > $0 ? $1 : $0 }
        guard largest > -.infinity, largest < .infinity, rules.temperature > 0 else {
            let token = logits.firstIndex(of: largest).map(Int32.init)
            guard let token, largest > -.infinity else { return [] }
            return [Candidate(token: token, probability: 1)]
        }
        let scores = Scores(logits: logits, largest: largest, temperature: rules.temperature)
        var kept = rules.topK.map(scores.top) ?? rules.topP.map(scores.nucleus) ?? scores.all()
        if rules.topK != nil, let topP = rules.topP { kept = Scores.cut(kept, topP: topP) }
        if let minP = rules.minP, minP > 0 { kept.removeAll { $0.weight < Double(minP) } }
        let total = kept.reduce(0) { $0 + $1.weight }
        return kept.map { Candidate(token: $0.token, probability: $0.weight / total) }
    }

    /// Divides positive and multiplies negative logits of tokens that were there, once for each.
    private func penalised(_ logits: [Float], _ previous: some Sequence<Int32>) -> [Float] {
        guard rules.repetitionPenalty != 1 else { return logits }
        var logits = logits
        for token in Set(previous) where logits.indices.contains(Int(token)) {
            let logit = logits[Int(token)]
            logits[Int(token)] =
                logit < 0 ? logit * rules.repetitionPenalty : logit / rules.repetitionPenalty
        }
        return logits
    }
}

/// Logits of which the largest is finite, and what rules take from them.
private struct Scores {
    /// A token and its probability as a share of the largest one.
    struct Entry {
        let token: Int32
        let weight: Double
        let logit: Float

        /// Whether it comes first: by probability, then by id.
        static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
            a.logit == b.logit ? a.token < b.token : a.logit > b.logit
        }
    }

    let logits: [Float]
    let largest: Float
    let temperature: Float

    func all() -> [Entry] { entries(within: .infinity) }

    /// The `count` most probable tokens and those as probable as the last of them, sorted.
    func top(_ count: Int) -> [Entry] {
        var depth: Float = 8
        while true {
            let found = entries(within: depth)
            if found.count >= count || depth == .infinity {
                let sorted = found.sorted(by: Entry.isBefore)
                guard sorted.count > count else { return sorted }
                let last = sorted[count - 1].logit
                return sorted.prefix { $0.logit >= last }
            }
            depth = deeper(depth)
        }
    }

    /// The most probable tokens that together have at least a share of all probability, sorted.
    func nucleus(_ share: Float) -> [Entry] {
        let total = logits.reduce(0) { $1 > -.infinity ? $0 + weight($1) : $0 }
        var depth: Float = 8
        while true {
            let found = entries(within: depth)
            let mass = found.reduce(0) { $0 + $1.weight }
            if mass >= Double(share) * total || depth == .infinity {
                return Scores.cut(found.sorted(by: Entry.isBefore), topP: share, of: total)
            }
            depth = deeper(depth)
        }
    }

    /// Entries until together they have a share of `total` (nil: of what the entries have).
    static func cut(_ sorted: [Entry], topP: Float, of total: Double? = nil) -> [Entry] {
        let wanted = Double(topP) * (total ?? sorted.reduce(0) { $0 + $1.weight })
        var sum = 0.0
        return Array(
            sorted.prefix { entry in
                defer { sum += entry.weight }
                return sum < wanted
            })
    }

    /// Tokens whose scaled logit is at most so far below the largest, by id. Few of a large
    /// vocabulary are: sorting those is cheap.
    private func entries(within depth: Float) -> [Entry] {
        var found: [Entry] = []
        for (token, logit) in logits.enumerated() where logit > -.infinity {
            guard (logit - largest) / temperature >= -depth else { continue }
            found.append(Entry(token: Int32(token), weight: weight(logit), logit: logit))
        }
        return found
    }

    private func weight(_ logit: Float) -> Double { exp(Double((logit - largest) / temperature)) }

    private func deeper(_ depth: Float) -> Float { depth < 64 ? 2 * depth : .infinity }
}
