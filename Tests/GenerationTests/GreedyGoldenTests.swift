import Generation
import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// Answers of every model of the reference set: its tokens and text, however the work is cut.
struct GreedyGoldenTests {
    @Test(arguments: GoldenFamily.all)
    func answersAloneAreTheSame(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            let request = try one.request(model)
            let generator = Generator(model, SchedulerLimits(pages: 64))
            let result = try #require(try generator.results(of: [request]).first?.first)
            #expect(result.ids == one.expectedIds, "\(one.name)")
            #expect(result.text == one.node["greedy_text"]?.string, "\(one.name)")
            #expect(result.finish == .length)
            #expect(result.usage.answerTokens == one.expectedIds.count)
            #expect(result.usage.imageTokens + result.usage.textTokens == request.input.ids.count)
            #expect(generator.pagesFree == 64)
        }
    }

    @Test(arguments: GoldenFamily.all, [1, 7, 32, 1024])
    func answersTogetherAreTheSameWithChunksOfAnySize(golden: GoldenFamily, rows: Int) throws {
        let model = try golden.load(on: cpu)
        let cases = try golden.cases()
        let limits = SchedulerLimits(
            pages: 256, pageRows: 16, rowsPerStepMax: max(rows, cases.count),
            sequencesMax: cases.count)
        let generator = Generator(model, limits)
        let results = try generator.results(of: try cases.map { try $0.request(model) })
        for (one, result) in zip(cases, results) {
            #expect(result.map(\.ids) == [one.expectedIds], "\(one.name)")
        }
        #expect(generator.pagesFree == 256)
    }

    /// What decides on each token has the bits that it has alone, in one piece and recomputed.
    @Test(arguments: GoldenFamily.all)
    func logitsHaveTheSameBitsHoweverTheyAreComputed(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let cases = try golden.cases()
        let alone = try cases.map { one in
            try Generator(model, SchedulerLimits(pages: 64, pageRows: 16))
                .results(of: [try one.reported(model)])[0][0]
        }
        let limits = SchedulerLimits(
            pages: 256, pageRows: 16, rowsPerStepMax: 37, sequencesMax: cases.count)
        let together = try Generator(model, limits)
            .results(of: try cases.map { try $0.reported(model) }).map { $0[0] }
        for (index, one) in cases.enumerated() {
            #expect(alone[index].logProbabilities == together[index].logProbabilities)
            var input = try one.input(model, forGeneration: true)
            input.ids += alone[index].ids.dropLast()
            input.isTrained = input.ids.map { _ in false }
            let whole = model.model.logits([input], Pass())
            let ids = alone[index].ids
            let rows = (0..<ids.count).map { Int32(input.ids.count - ids.count + $0) }
            let labels = Labels(ids, vocabulary: whole.shape[1], on: cpu)
            let expected = whole.gathered(rows: rows).logProbabilities(of: labels).floats()
            let ours = alone[index].logProbabilities.map { Float($0.logProbability) }
            #expect(largestDifference(ours, expected) <= 1e-5, "\(one.name)")
        }
    }

    /// Alone, among others, in chunks, after preemption and with pages that others computed.
    @Test(arguments: GoldenFamily.all, [8, 44, 64])
    func answersHaveTheSameBitsInAnyCompany(golden: GoldenFamily, others: Int) throws {
        let model = try golden.load(on: cpu)
        let requests = try golden.cases().enumerated().map { index, one in
            var request = try one.reported(model)
            request.tokensMax = 24
            request.imageNames = request.input.images.indices.map { "\(index) \($0)" }
            return request
        }
        let alone = try requests.map { request in
            try Generator(model, SchedulerLimits(pages: 256, pageRows: 16))
                .results(of: [request])[0][0]
        }
        let rows = requests.map { $0.input.ids.count + 24 }.max() ?? 0
        let limits = SchedulerLimits(
            pages: 3 * (rows / 16 + 1), pageRows: 16, rowsPerStepMax: 67, sequencesMax: 65)
        let generator = Generator(model, limits)
        let company = (0...others).map { requests[$0 % requests.count] }
        let together = try generator.results(of: company)
        for (index, answers) in together.enumerated() {
            let expected = alone[index % requests.count]
            #expect(answers[0].ids == expected.ids)
            #expect(answers[0].logProbabilities == expected.logProbabilities)
        }
        #expect(generator.counts.preemptions > 0 || others < 44)
        #expect(generator.counts.prefixRowsFound > 0)
        #expect(generator.pagesFree == limits.pages)
    }

    @Test(arguments: GoldenFamily.all)
    func aCacheOfBytesIsClose(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        for one in try golden.cases() {
            let limits = SchedulerLimits(pages: 64, pageRows: 16)
            let exact = try Generator(model, limits).results(of: [try one.reported(model)])
            let bytes = try Generator(model, limits, compressesCache: true)
                .results(of: [try one.reported(model)])
            let first = (exact[0][0].logProbabilities[0], bytes[0][0].logProbabilities[0])
            #expect(
                abs(first.0.logProbability - first.1.logProbability) <= 0.05,
                "\(one.name): \(first)")
        }
    }

    /// Later answers to a prompt read the pages of the first.
    @Test(arguments: GoldenFamily.all)
    func allAnswersToAPromptAreThoseOfOneAlone(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let one = try #require(try golden.cases().first)
        var request = try one.request(model)
        request.samples = 3
        let limits = SchedulerLimits(pages: 64, pageRows: 16, rowsPerStepMax: 20, sequencesMax: 8)
        let generator = Generator(model, limits)
        let answers = try generator.results(of: [request, try one.request(model)])
        #expect(answers[0].map(\.ids) == Array(repeating: one.expectedIds, count: 3))
        #expect(answers[1].map(\.ids) == [one.expectedIds])
        #expect(generator.pagesFree == 64)
    }
}

extension GoldenCase {
    var expectedIds: [Int32] { node["greedy_ids"]?.elements.compactMap(\.int32) ?? [] }

    func request(_ model: LoadedModel) throws -> GenerationRequest {
        GenerationRequest(
            try input(model, forGeneration: true), tokensMax: max(expectedIds.count, 1))
    }

    func reported(_ model: LoadedModel) throws -> GenerationRequest {
        var request = try request(model)
        request.topLogProbabilities = 3
        return request
    }
}
