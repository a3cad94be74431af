import Base
import GoldenModels
import Messages
import RPC
import Testing
import Text

@testable import InferenceService

/// Answers over the wire, against those of foreign software.
struct AnswerGoldenTests {
    @Test(arguments: GoldenFamily.all)
    func anAnswerIsThatOfTheReference(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            for one in try golden.cases() {
                let question = try GoldenQuestion(one, golden)
                let response = try await harness.generate(GenerateRequest(question))
                #expect(response.answers.map(\.text) == [question.text], "\(one.name)")
                #expect(response.answers[0].finishReason == .length)
                #expect(Int(response.usage?.answerTokens ?? 0) == question.tokens)
                #expect(response.images.count == question.images.count)
                let imageTokens = response.images.reduce(0) { $0 + $1.tokenCount }
                #expect(response.usage?.imageTokens == imageTokens)
                #expect(response.servedBy?.modelSha256.count == 64)
                #expect(response.timing.map { $0.totalSeconds > 0 } == true)
            }
            #expect(await harness.served.engine.load.pagesFree == 64)
        }
    }

    /// The same bits whatever else is served.
    @Test(arguments: GoldenFamily.all)
    func answersOfManyAtOnceAreThoseOfEachAlone(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let cases = try golden.cases()
            let questions = try (0..<8).map { try GoldenQuestion(cases[$0 % cases.count], golden) }
            let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for (index, question) in questions.enumerated() {
                    let request = GenerateRequest(question)
                    group.addTask {
                        (index, try await harness.generate(request).answers.first?.text ?? "")
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
            for (index, question) in questions.enumerated() {
                #expect(texts[index] == question.text)
            }
        }
    }

    @Test(arguments: GoldenFamily.all)
    func theDeltasOfAStreamAreTheWholeAnswer(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let question = try GoldenQuestion(golden, withImages: true)
            var request = GenerateRequest(question)
            request.includeLogProbabilities = true
            request.alternativesMax = 2
            var (kinds, text, whole) = ([String](), "", "")
            var tokens: [TokenChoice] = []
            let stream = try await harness.client.call(Inference.generateStream, request)
            for try await message in stream {
                switch message.part {
                case .start(let start)?:
                    kinds.append("start")
                    #expect(start.images.count == question.images.count)
                case .delta(let delta)?:
                    text += delta.text
                    tokens += delta.tokens
                case .answerEnd(let end)?:
                    kinds.append("answer")
                    whole = end.answer?.text ?? ""
                case .end(let end)?:
                    kinds.append("end")
                    #expect(Int(end.usage?.answerTokens ?? 0) == question.tokens)
                case nil: Issue.record("an empty message")
                }
            }
            #expect(kinds == ["start", "answer", "end"])
            #expect(text == question.text)
            #expect(whole == question.text)
            #expect(tokens.count == question.tokens)
            #expect(tokens.allSatisfy { $0.alternatives.count == 2 })
            // Greedy: what was chosen is the likeliest.
            #expect(tokens.allSatisfy { $0.chosen?.tokenID == $0.alternatives[0].tokenID })
        }
    }

    @Test(arguments: GoldenFamily.all)
    func aDigestStandsForAnImageSentBefore(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            let question = try GoldenQuestion(golden, withImages: true)
            var request = GenerateRequest(question)
            let first = try await harness.generate(request)
            request.images = first.images.map { use in
                .with { $0.source = .imageSha256(use.imageSha256) }
            }
            #expect(try await harness.generate(request).answers.first?.text == question.text)
            request.images[0].source = .imageSha256(String(repeating: "0", count: 64))
            let unknown = request
            let refusal = await Refusal.of { _ = try await harness.generate(unknown) }
            #expect(refusal?.code == .notFound && refusal?.reason == "IMAGE_NOT_FOUND")
        }
    }

    /// The mean score of an answer is the loss that the reference has of it.
    @Test(arguments: GoldenFamily.all)
    func aScoreIsTheLossOfTheReference(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            for one in try golden.cases() {
                guard one.messages.filter({ $0.role == .assistant }).count == 1,
                    let answer = one.messages.last?.text
                else { continue }
                let asked = GenerateRequest(try GoldenQuestion(one, golden))
                let request = ScoreChoicesRequest.with {
                    $0.turns = asked.turns
                    $0.images = asked.images
                    $0.choices = ["no", answer]
                    $0.normalizeByTokens = true
                }
                let response = try await harness.client.call(Inference.scoreChoices, request)
                let score = try #require(response.scores.first { $0.choice == answer })
                let loss = try #require(one.node["loss"]?.double)
                #expect(abs(score.logProbability + loss) < 1e-4, "\(one.name)")
                let shares = response.scores.map(\.probability)
                #expect(abs(shares.reduce(0, +) - 1) < 1e-12 && shares[0] >= shares[1])
                #expect(response.confidence?.confidence == shares[0])
            }
        }
    }

    @Test(arguments: GoldenFamily.all)
    func aSeedIsReturnedAndRepeatsItsAnswers(golden: GoldenFamily) async throws {
        try await InferenceHarness.with(golden) { harness in
            var request = GenerateRequest(try GoldenQuestion(golden))
            request.sampling?.temperature = 1.5
            request.answerCount = 3
            let first = try await harness.generate(request)
            #expect(first.answers.map(\.answerIndex) == [0, 1, 2])
            #expect(Set(first.answers.map(\.text)).count > 1)
            request.sampling?.seed = first.seed
            let second = try await harness.generate(request)
            #expect(first.answers.map(\.text) == second.answers.map(\.text))
        }
    }
}
