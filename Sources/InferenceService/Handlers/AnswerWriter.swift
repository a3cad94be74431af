import Base
import Foundation
import Generation
import Messages
import Text

/// Makes messages of what the engine tells about a request.
struct AnswerWriter {
    private struct Answer {
        var text = ""
        var tokens: [TokenChoice] = []
        /// Tokens whose text is not certain yet.
        var held: [TokenChoice] = []
        var logProbability = 0.0
        var end: GeneratedAnswer?
    }

    private let call: AnswerCall
    private let tokenizer: Tokenizer
    private var answers: [Int: Answer] = [:]
    private var usage: Messages.TokenUsage
    private var begin, first, last: MonotonicTime?
    private var imageSeconds = 0.0

    init(_ call: AnswerCall, _ tokenizer: Tokenizer) {
        (self.call, self.tokenizer, usage) = (call, tokenizer, call.prompt.usage)
    }

    /// The first message of a stream.
    var start: GenerationStart {
        .with {
            $0.requestID = call.requestID
            $0.servedBy = call.servedBy
            $0.images = call.prompt.uses
            $0.usage = call.prompt.usage
            $0.seed = call.seed
        }
    }

    /// The last message of a stream.
    var end: GenerationEnd {
        .with {
            $0.usage = usage
            $0.timing = timing
        }
    }

    /// All of it at once.
    var response: GenerateResponse {
        .with {
            $0.requestID = call.requestID
            $0.answers = answers.sorted { $0.key < $1.key }.compactMap(\.value.end)
            $0.usage = usage
            $0.servedBy = call.servedBy
            $0.timing = timing
            $0.images = call.prompt.uses
            $0.seed = call.seed
        }
    }

    /// Takes in that the request has its place.
    mutating func take(begin time: MonotonicTime) { begin = time }

    /// Takes in a token.
    /// - Returns: the text that is certain now, if there is any, and the answer if it is complete
    mutating func take(
        _ event: GenerationEvent, at time: MonotonicTime
    ) throws -> (delta: AnswerDelta?, end: GeneratedAnswer?) {
        if first == nil { first = time }
        last = time
        imageSeconds = event.progress.imageSeconds
        usage.answerTokens += 1
        usage.cachedTokens = UInt32(event.progress.rowsFound)
        var answer = answers[event.sample] ?? Answer()
        // Texts of messages hold no NUL, but a model may write it; the token's bytes have it.
        let text = event.text.replacing("\0", with: "\u{FFFD}")
        defer { answers[event.sample] = answer }
        answer.text += text
        if let token = event.logProbability {
            answer.logProbability += token.logProbability
            answer.held.append(choice(token))
        }
        var delta: AnswerDelta?
        if !text.isEmpty || event.result != nil {
            if call.wants.probabilities { answer.tokens += answer.held }
            let tokens = call.wants.probabilities ? answer.held : []
            answer.held = []
            if !text.isEmpty || !tokens.isEmpty {
                delta = .with {
                    $0.answerIndex = UInt32(event.sample)
                    $0.text = text
                    $0.tokens = tokens
                }
            }
        }
        if let result = event.result {
            guard result.finish != .failed else { throw InferenceError.answerFailed }
            answer.end = complete(answer, event.sample, result)
        }
        return (delta, answer.end)
    }

    private func complete(
        _ answer: Answer, _ sample: Int, _ result: GenerationResult
    ) -> GeneratedAnswer {
        let confidence = min(1, exp(answer.logProbability))
        return .with {
            $0.answerIndex = UInt32(sample)
            $0.text = answer.text
            $0.finishReason = result.finish.message
            $0.tokens = answer.tokens
            $0.tokenCount = UInt32(result.ids.count)
            $0.logProbability = answer.logProbability
            if call.wants.confidence {
                $0.confidences = [
                    .with {
                        $0.confidence = confidence
                        $0.byteCount = UInt32(answer.text.utf8.count)
                    }
                ]
            }
            if let limit = call.wants.abstain { $0.needsPerson = confidence < limit }
        }
    }

    private func choice(_ token: TokenLogProbability) -> TokenChoice {
        .with {
            $0.chosen = candidate(token.token, token.logProbability)
            $0.alternatives = token.top.map { candidate($0.token, $0.logProbability) }
        }
    }

    private func candidate(_ id: Int32, _ logProbability: Double) -> TokenCandidate {
        .with {
            $0.tokenID = UInt32(id)
            $0.tokenBytes = Bytes(tokenizer.bytes(of: id))
            $0.logProbability = logProbability
        }
    }

    private var timing: AnswerTiming {
        let now = MonotonicTime.now()
        return .with {
            $0.decodeImageSeconds = call.prompt.decodeSeconds
            $0.resizeImageSeconds = call.prompt.resizeSeconds
            $0.encodeImageSeconds = imageSeconds
            $0.totalSeconds = now.seconds(since: call.start.arrival)
            guard let begin, let first, let last else { return }
            $0.queueSeconds = begin.seconds(since: call.start.queued)
            $0.prefillSeconds = first.seconds(since: begin) - imageSeconds
            $0.decodeSeconds = last.seconds(since: first)
            $0.firstTokenSeconds = first.seconds(since: call.start.arrival)
        }
    }
}

extension Generation.FinishReason {
    fileprivate var message: Messages.FinishReason {
        switch self {
        case .stop: .stop
        case .stopText: .stopText
        case .length: .length
        case .cancelled: .cancelled
        case .failed: .failed
        }
    }
}
