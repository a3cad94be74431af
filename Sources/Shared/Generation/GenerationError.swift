package import Base

/// Why a prompt is not answered.
package enum GenerationError: Failure, Hashable {
    case emptyPrompt
    case promptTooLong(textTokens: Int, imageTokens: Int, tokensMax: Int)
    case tokensMax(Int)
    case tooManySamples(samples: Int, samplesMax: Int)
    case tooManyStopTexts(count: Int, countMax: Int)
    case stopText(index: Int, bytes: Int, bytesMax: Int)
    case topLogProbabilities(Int, topMax: Int)
    /// Rows that images become, and rows that the prompt has for each.
    case imageRows(images: [Int], places: [Int])
    case tokenOutOfRange(id: Int, vocabulary: Int)
    /// Answers that need more rows of cache than there are.
    case cacheTooSmall(rows: Int, rowsMax: Int)
    case queueFull(waiting: Int, waitingMax: Int)
    /// An adapter with whole parameters beside other requests.
    case adaptersApart

    package var kind: FailureKind {
        switch self {
        case .promptTooLong: .outOfRange
        case .cacheTooSmall, .queueFull: .exhausted
        case .adaptersApart: .precondition
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .emptyPrompt: "PROMPT_EMPTY"
        case .promptTooLong: "PROMPT_TOO_LONG"
        case .tokensMax: "TOKENS_MAX_INVALID"
        case .tooManySamples: "SAMPLES_INVALID"
        case .tooManyStopTexts, .stopText: "STOP_TEXT_INVALID"
        case .topLogProbabilities: "LOG_PROBABILITIES_INVALID"
        case .imageRows: "IMAGE_COUNT_MISMATCH"
        case .tokenOutOfRange: "TOKEN_OUT_OF_RANGE"
        case .cacheTooSmall: "CACHE_TOO_SMALL"
        case .queueFull: "QUEUE_FULL"
        case .adaptersApart: "ADAPTER_NOT_MIXABLE"
        }
    }

    package var message: String {
        switch self {
        case .emptyPrompt: "the prompt has no tokens"
        case .promptTooLong(let text, let images, let most):
            "the prompt has \(text) tokens of text and \(images) of images; at most \(most - 1) "
                + "of \(most) leave room for an answer"
        case .tokensMax(let count): "the answer may have \(count) tokens; at least 1 is needed"
        case .tooManySamples(let samples, let most):
            "\(samples) answers are asked for; allowed are 1 to \(most)"
        case .tooManyStopTexts(let count, let most):
            "\(count) stop texts are given; at most \(most) are allowed"
        case .stopText(let index, let bytes, let most):
            "stop text \(index + 1) has \(bytes) bytes; allowed are 1 to \(most)"
        case .topLogProbabilities(let count, let most):
            "\(count) likeliest tokens are asked for; allowed are 0 to \(most)"
        case .imageRows(let images, let places):
            "\(images.count) images become \(images) rows, and the prompt has \(places.count) "
                + "places of \(places)"
        case .tokenOutOfRange(let id, let vocabulary):
            "the prompt has token \(id); the model has \(vocabulary)"
        case .cacheTooSmall(let rows, let most):
            "the answers need up to \(rows) rows of cache; it has \(most)"
        case .queueFull(let waiting, let most):
            "\(waiting) sequences wait already, of at most \(most); try again later"
        case .adaptersApart:
            "an adapter that replaces whole parameters is answered apart from other requests; "
                + "wait until those have ended, or merge the adapter into a model of its own"
        }
    }
}
