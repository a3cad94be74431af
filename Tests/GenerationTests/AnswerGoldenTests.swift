import Generation
import GoldenModels
import Layers
import Models
import Numerics
import Testing
import Text

/// How answers end, and what is refused, on every model of the reference set.
struct AnswerGoldenTests {
    private func answer(
        _ golden: GoldenFamily, _ change: (inout GenerationRequest) -> Void
    ) throws -> (one: GoldenCase, pieces: [String], result: GenerationResult) {
        let model = try golden.load(on: cpu)
        let one = try #require(try golden.cases().last)
        var request = try one.request(model)
        change(&request)
        var pieces: [String] = []
        let results = try Generator(model, SchedulerLimits(pages: 64)).results(of: [request]) {
            pieces.append($0.text)
        }
        return (one, pieces, try #require(results.first?.first))
    }

    /// Wherever a stop text lies in the answer, the answer ends before it, and no piece has shown
    /// any of it.
    @Test(arguments: GoldenFamily.all, [1, 2, 4])
    func anAnswerEndsBeforeItsStopText(golden: GoldenFamily, length: Int) throws {
        let text = Array(try #require(golden.cases().last?.node["greedy_text"]?.string))
        for start in stride(from: 0, to: text.count - length, by: 3) {
            let stop = String(text[start..<start + length])
            let (_, pieces, result) = try answer(golden) { $0.stopTexts = ["\u{1}", stop] }
            let whole = String(text)
            let end = try #require(whole.firstRange(of: stop)).lowerBound
            #expect(result.text == String(whole[..<end]))
            #expect(result.finish == .stopText)
            #expect(pieces.joined() == result.text)
        }
    }

    @Test(arguments: GoldenFamily.all)
    func piecesAreTheText(golden: GoldenFamily) throws {
        let (one, pieces, result) = try answer(golden) { _ in }
        #expect(pieces.joined() == one.node["greedy_text"]?.string)
        #expect(result.text == pieces.joined())
    }

    @Test(arguments: GoldenFamily.all)
    func aStopTokenEndsAnAnswer(golden: GoldenFamily) throws {
        var ids: [Int32] = []
        let (one, _, result) = try answer(golden) { request in
            ids = (try? golden.cases().last?.expectedIds) ?? []
            request.stopTokens = [ids[5]]
        }
        let place = try #require(one.expectedIds.firstIndex(of: ids[5]))
        #expect(result.ids == Array(one.expectedIds[...place]))
        #expect(result.finish == .stop)
        #expect(result.usage.answerTokens == place + 1)
    }

    /// The token that stands for images is a token like any other once the model writes it.
    @Test(arguments: GoldenFamily.all)
    func aWrittenImageTokenIsNoImage(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let one = try #require(try golden.cases().first { !$0.pictures.isEmpty })
        let input = try one.input(model, forGeneration: true)
        let image = try #require(input.imageRows.first.map { input.ids[$0.lowerBound] })
        guard Int(image) < model.model.decoder.config.vocabulary else { return }
        var (continued, whole) = (input, input)
        continued.ids += [image, 5]
        continued.isTrained += [false, false]
        whole = continued
        let logits = model.model.logits([whole], Pass())
        let expected = logits.gathered(rows: [Int32(logits.shape[0] - 1)]).argmax().integers()
        let answers = try Generator(
            model, SchedulerLimits(pages: 64, rowsPerStepMax: 64, sequencesMax: 4)
        ).results(of: [GenerationRequest(continued, tokensMax: 1)])
        #expect(answers[0][0].ids == expected)
    }

    @Test(arguments: GoldenFamily.all)
    func aSeedRepeatsItsAnswerInAnyCompany(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let cases = try golden.cases()
        let requests = try cases.map { one in
            var request = try one.request(model)
            request.rules = try SamplingRules(temperature: 1.5, topP: 0.9, repetitionPenalty: 1.1)
            request.seed = 11
            return request
        }
        let limits = SchedulerLimits(pages: 64, rowsPerStepMax: 50, sequencesMax: 8)
        let together = try Generator(model, limits).results(of: requests)
        for (request, answers) in zip(requests, together) {
            let alone = try Generator(model, limits).results(of: [request])
            #expect(alone[0][0].ids == answers[0].ids)
        }
        var several = requests[0]
        several.samples = 3
        let samples = try Generator(model, limits).results(of: [several])[0]
        #expect(samples[0].ids == together[0][0].ids)
        #expect(Set(samples.map(\.ids)).count == 3)
    }

    @Test(arguments: GoldenFamily.all)
    func whatCannotBeAnsweredIsRefused(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let one = try #require(try golden.cases().first { !$0.pictures.isEmpty })
        let generator = Generator(model, SchedulerLimits(pages: 4, pageRows: 16))
        func refusal(_ change: (inout GenerationRequest) -> Void) throws -> GenerationError? {
            var request = try one.request(model)
            change(&request)
            do throws(GenerationError) { _ = try generator.submit(request) } catch { return error }
            return nil
        }
        let lengthMax = model.model.decoder.config.lengthMax
        #expect(try refusal { $0.tokensMax = 0 } == .tokensMax(0))
        #expect(
            try refusal { $0.stopTexts = ["a", ""] }
                == .stopText(index: 1, bytes: 0, bytesMax: 200))
        #expect(try refusal { $0.samples = 0 } == .tooManySamples(samples: 0, samplesMax: 64))
        #expect(try refusal { $0.topLogProbabilities = -1 } == .topLogProbabilities(-1, topMax: 20))
        #expect(try refusal { $0.input = ModelInput(ids: [], isTrained: []) } == .emptyPrompt)
        #expect(
            try refusal { $0.input = ModelInput(ids: [1 << 30], isTrained: [false]) }
                == .tokenOutOfRange(
                    id: 1 << 30, vocabulary: model.model.decoder.config.vocabulary))
        #expect(
            try refusal {
                let ids = [Int32](repeating: 1, count: lengthMax)
                $0.input = ModelInput(ids: ids, isTrained: ids.map { _ in false })
            } == .promptTooLong(textTokens: lengthMax, imageTokens: 0, tokensMax: lengthMax))
        let rows = try one.request(model).input.imageRows.map(\.count)
        #expect(
            try refusal { $0.input.images = [] } == .imageRows(images: [], places: rows))
        #expect(
            try refusal { $0.tokensMax = 100 }
                == .cacheTooSmall(rows: one.request(model).input.ids.count + 99, rowsMax: 64))
        #expect(generator.isIdle && generator.pagesFree == 4)
    }

    @Test(arguments: GoldenFamily.all)
    func theFolderSaysHowAnswersEnd(golden: GoldenFamily) throws {
        let model = try golden.load(on: cpu)
        let defaults = try GenerationDefaults(
            folder: golden.folder, model.inputs.chat.tokenizer)
        let end = try #require(model.inputs.chat.tokenizer.roles.end)
        let id = try #require(model.inputs.chat.tokenizer.id(of: end))
        #expect(defaults.stopTokens.contains(id))
    }
}
