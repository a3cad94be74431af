import Layers
import Models
import Numerics
import Testing
import Text

@testable import Training

/// What a turn counts in the loss.
struct LossWeightTests {
    private static func row(_ weights: [Float]) -> TrainingRow {
        var messages: [ChatMessage] = []
        for (index, weight) in weights.enumerated() {
            var answer = ChatMessage(.assistant, "two people \(index)")
            answer.lossWeight = weight
            messages += [ChatMessage(.user, "a red car \(index)"), answer]
        }
        return TrainingRow(id: "row", messages: messages, images: [])
    }

    private func score(_ weights: [Float]) throws -> LossScore {
        let tiny = TinyRun()
        var score = LossScore()
        let input = try tiny.encoder().input(Self.row(weights), .none)
        score.add(tiny.model.model, [input], Pass(), countsChosen: false)
        return score
    }

    @Test func theLossIsTheMeanOfTurnsByTheirWeights() throws {
        let (first, second) = (try score([1, 0]), try score([0, 1]))
        let mixed = try score([0.5, 2])
        let expected =
            (0.5 * first.sum + 2 * second.sum) / Double(0.5 * first.weight + 2 * second.weight)
        #expect(abs(mixed.mean - expected) < 1e-5)
        #expect(mixed.tokens == first.tokens + second.tokens)
        #expect(first.sum != second.sum)
    }

    @Test func equalWeightsChangeNothing() throws {
        let (plain, doubled) = (try score([1, 1]), try score([2, 2]))
        #expect(abs(plain.mean - doubled.mean) < 1e-6)
        #expect(plain.weight == Double(plain.tokens))
        #expect(doubled.weight == 2 * plain.weight)
    }

    @Test func aTurnOfNoWeightIsReadOnly() throws {
        let tiny = TinyRun()
        let rows = TestRows(train: [Self.row([0, 1])], validation: [Self.row([1])])
        let facts = try tiny.encoder().facts(of: rows)
        let both = try tiny.encoder().input(Self.row([1, 1]), .none)
        let one = try tiny.encoder().input(Self.row([0, 1]), .none)
        #expect(facts.train[0].trainedTokens == one.trainedCount)
        #expect(one.trainedCount < both.trainedCount)
        #expect(one.trainedWeight == Double(one.trainedCount))
    }
}
