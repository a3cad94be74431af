import Base
import Numerics
import Testing

@Suite struct SamplerTests {
    let backend: CPUBackend
    let seed = RandomKey(seed: 11)

    init() throws { backend = try CPUBackend(threads: 2) }

    @Test func tokensAppearAsOftenAsTheirProbability() throws {
        let logits: [Float] = [1, 0, 2, -1, 0.5]
        let sampler = Sampler(try SamplingRules(temperature: 0.8, topK: 4))
        var counts = [Int](repeating: 0, count: logits.count)
        let draws = 20_000
        for draw in 0..<draws {
            counts[Int(try #require(sampler.token(logits: logits, key: seed.child(draw))))] += 1
        }
        for candidate in sampler.candidates(logits: logits) {
            let share = Double(counts[Int(candidate.token)]) / Double(draws)
            #expect(abs(share - candidate.probability) < 0.02, "\(candidate)")
        }
        #expect(counts[3] == 0)
    }

    @Test func aSequenceGetsTheSameTokenInEveryBatch() throws {
        let (rows, width) = (6, 3000)
        let logits = Tensor.normal([rows, width], seed, on: backend) * 3
        let hot = try SamplingRules(temperature: 1.5, topP: 0.9)
        let careful = try SamplingRules(temperature: 0, repetitionPenalty: 1.2)
        let requests = [hot, .greedy, careful, hot, .greedy, hot].enumerated().map { row, rules in
            SamplingRequest(rules: rules, previous: [1, 2], key: seed.child(row))
        }
        let together = logits.sampled(requests)
        for row in 0..<rows {
            let alone = logits.rows(row..<row + 1).sampled([requests[row]])
            #expect(alone == [together[row]])
        }
        #expect(Set(together).count > 1)
        #expect(!together.contains(nil))
    }

    @Test func greedyTakesTheFirstOfTheLargest() {
        let logits = Tensor([1, 3, 3, 2, .nan, -1, .nan, .nan], [2, 4], on: backend)
        let request = SamplingRequest(rules: .greedy, previous: [], key: seed)
        #expect(logits.sampled([request, request]) == [1, 1])
        #expect(Sampler(.greedy).token(logits: [1, 3, 3, 2], key: seed) == 1)
    }

    @Test func aRowWithoutNumbersHasNoToken() throws {
        let request = SamplingRequest(rules: try SamplingRules(), previous: [], key: seed)
        let plain = SamplingRequest(rules: .greedy, previous: [], key: seed)
        let logits = Tensor([.nan, .nan, .nan, .nan], [2, 2], on: backend)
        #expect(logits.sampled([request, plain]) == [nil, nil])
        let masked = [-Float.infinity, -.infinity]
        #expect(Sampler(try SamplingRules()).token(logits: masked, key: seed) == nil)
    }

    @Test func equalLogitsAtTheBorderOfTopPGoByTheirIds() throws {
        let sampler = Sampler(try SamplingRules(topP: 0.5))
        let kept = sampler.candidates(logits: [1, 1, 1, 1]).map(\.token)
        #expect(kept == [0, 1])
    }

    @Test func aFlatVocabularyIsSearchedToItsEnd() throws {
        // Most of the probability lies far below the largest logit.
        let logits = [Float](repeating: 0, count: 200_000) + [9]
        let sampler = Sampler(try SamplingRules(topP: 0.9))
        #expect(abs(sampler.candidates(logits: logits).count - 180_000) < 1000)
        let wide = Sampler(try SamplingRules(topK: 150_000))
        #expect(wide.candidates(logits: (0..<200_000).map(Float.init)).count == 150_000)
    }

    @Test func rulesThatMeanNothingAreRefused() {
        #expect(throws: SamplingRulesError.temperature(-1)) {
            try SamplingRules(temperature: -1)
        }
        #expect(throws: SamplingRulesError.topK(0)) { try SamplingRules(topK: 0) }
        #expect(throws: SamplingRulesError.topP(0)) { try SamplingRules(topP: 0) }
        #expect(throws: SamplingRulesError.minP(1.5)) { try SamplingRules(minP: 1.5) }
        #expect(throws: SamplingRulesError.repetitionPenalty(0)) {
            try SamplingRules(repetitionPenalty: 0)
        }
        #expect(throws: SamplingRulesError.self) { try SamplingRules(topP: .nan) }
    }
}
