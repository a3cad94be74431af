import Base
import Models
import Numerics
import Text

/// A request that is being answered.
struct ActiveRequest {
    let request: GenerationRequest
    /// What its images became; nil before they are needed and after, until the request is
    /// computed again.
    var features: Tensor?
    var progress = RequestProgress()
    /// Answers that have no token yet.
    var promptsLeft: Int {
        didSet {
            guard promptsLeft == 0 else { return }
            features = nil
        }
    }

    init(_ request: GenerationRequest) {
        (self.request, promptsLeft) = (request, request.samples)
    }

    /// Whether images stand in some rows and their features are missing.
    func needsFeatures(_ rows: Range<Int>) -> Bool {
        features == nil && request.input.imageRows.contains { $0.overlaps(rows) }
    }

    /// The tokens of rows of a sequence.
    func tokens(_ rows: Range<Int>, _ answer: [Int32]) -> [Int32] {
        let prompt = request.input.ids
        return rows.map { $0 < prompt.count ? prompt[$0] : answer[$0 - prompt.count] }
    }
}

/// An answer that is being written.
struct ActiveSequence {
    /// Of its request.
    let number: Int
    /// Which of the answers to its request.
    let sample: Int
    private(set) var result: GenerationResult
    private var text: AnswerText
    private let key: RandomKey

    init(number: Int, sample: Int, of request: GenerationRequest, _ text: AnswerText) {
        (self.number, self.sample, self.text) = (number, sample, text)
        result = GenerationResult(usage: TokenUsage(request.input))
        let key = RandomKey(seed: request.seed)
        // The first answer is the one that is given if no others are asked for.
        self.key = sample == 0 ? key : key.child("sample").child(sample)
    }

    /// What the next token is chosen by.
    func sampling(_ request: GenerationRequest) -> SamplingRequest {
        let isPenalised = request.rules.repetitionPenalty != 1
        return SamplingRequest(
            rules: request.rules, previous: isPenalised ? request.input.ids + result.ids : [],
            key: key.child(request.input.ids.count + result.ids.count))
    }

    /// Takes the next token.
    /// - Parameters:
    ///   - token: nil if there is none
    ///   - logits: that it was chosen by, if probabilities are reported
    /// - Returns: the text that is certain now, and whether that was the end
    mutating func take(
        _ token: Int32?, _ request: GenerationRequest, _ logits: [Float]?
    ) -> (text: String, isEnd: Bool) {
        guard let token else { return (finish(.failed), true) }
        result.ids.append(token)
        result.usage.answerTokens += 1
        if let logits, let top = request.topLogProbabilities {
            result.logProbabilities.append(
                TokenLogProbability(of: token, in: logits, top: top))
        }
        if request.stopTokens.contains(token) { return (finish(.stop), true) }
        let piece = text.push(token)
        result.text += piece
        if text.isStopped { return (piece + finish(.stopText), true) }
        if result.ids.count == request.tokensMax {
            let rest = finish(.length)
            return (piece + rest, true)
        }
        return (piece, false)
    }

    private mutating func finish(_ reason: FinishReason) -> String {
        let rest = text.finish()
        result.text += rest
        // The last characters of a text cut by its length may hold a stop text.
        result.finish = reason == .length && text.isStopped ? .stopText : reason
        return rest
    }
}
