import Base
import Generation
import Images
import Messages
import Models
import Resources

/// Why the service turned something down, beside what any service of resources may say.
enum InferenceError: Failure, Hashable {
    case noModel
    case promptTooLong(tokens: Int, imageTokens: Int, answerTokens: Int, tokensMax: Int)
    case tooManyImages(count: Int)
    case imageUnreadable(field: String, why: String)
    case imageTooLarge(field: String, why: String)
    case imageNotFound(field: String, digest: String)
    case placeholders(field: String, why: String)
    case turns(field: String, why: String)
    case text(field: String)
    case unsupported(field: String, why: String)
    case queueFull(waiting: Int, waitingMax: Int)
    case cacheTooSmall(rows: Int, rowsMax: Int)
    case answerFailed
    case noAdapterRoot
    case adapterInvalid(why: String)
    case baseMismatch(why: String)
    case withoutEffect(rows: Int)
    case digestMismatch(expected: String, seen: String)
    case tenantForbidden(what: String)
    case quota(tenant: String, what: String, seen: Int, max: Int, retryMilliseconds: Int)
    case unexpected

    var kind: FailureKind {
        switch self {
        case .noModel, .baseMismatch, .withoutEffect, .noAdapterRoot: .precondition
        case .promptTooLong, .tooManyImages, .imageUnreadable, .imageTooLarge, .placeholders,
            .turns, .text, .adapterInvalid:
            .invalidInput
        case .imageNotFound: .notFound
        case .unsupported: .unimplemented
        case .queueFull, .cacheTooSmall, .quota: .exhausted
        case .tenantForbidden: .forbidden
        case .answerFailed, .unexpected: .broken
        case .digestMismatch: .dataLoss
        }
    }

    var failureReason: FailureReason {
        switch self {
        case .noModel, .noAdapterRoot: .stateInvalid
        case .promptTooLong: .promptTooLong
        case .tooManyImages: .tooManyImages
        case .imageUnreadable: .imageUnreadable
        case .imageTooLarge: .imageTooLarge
        case .imageNotFound: .imageNotFound
        case .placeholders: .imagePlaceholderMismatch
        case .turns: .turnsInvalid
        case .text: .textInvalid
        case .unsupported: .notImplemented
        case .queueFull: .queueFull
        case .cacheTooSmall: .memoryExceeded
        case .quota: .quotaExceeded
        case .tenantForbidden: .tenantForbidden
        case .answerFailed, .unexpected: .internal
        case .adapterInvalid: .adapterInvalid
        case .baseMismatch: .baseMismatch
        case .withoutEffect: .adapterWithoutEffect
        case .digestMismatch: .digestMismatch
        }
    }

    var reason: String { failureReason.plainName }

    var message: String {
        switch self {
        case .noModel: "this server has no model; start serve with --model DIR"
        case .promptTooLong(let tokens, let images, let answer, let max):
            "the prompt has \(tokens) tokens, \(images) of them of images, and the answer may take"
                + " \(answer); together at most \(max) are allowed. Use less text, fewer or smaller"
                + " images, or a smaller sampling.tokens_max"
        case .tooManyImages(let count):
            "\(count) images are given; at most \(InferenceLimits.imagesMax) are allowed"
        case .imageUnreadable(let field, let why), .imageTooLarge(let field, let why):
            "\(field): \(why)"
        case .imageNotFound(let field, let digest):
            "\(field): the image \(digest.shortened) is not known (any more); send its content"
        case .placeholders(let field, let why), .turns(let field, let why): "\(field): \(why)"
        case .text(let field): "\(field): the text holds a NUL character; remove it"
        case .unsupported(let field, let why): "\(field): \(why)"
        case .queueFull(let waiting, let max):
            "\(waiting) answers wait already, of at most \(max); try again later"
        case .cacheTooSmall(let rows, let max):
            "prompt and answers need up to \(rows) tokens of cache; the server has \(max)."
                + " Ask for a shorter answer, or start serve with more --cache-pages"
        case .answerFailed:
            "the model gave no probability to any token; its weights or the adapter's are damaged"
        case .unexpected: "an unexpected error; the server's log has it"
        default: adapterMessage
        }
    }

    private var adapterMessage: String {
        switch self {
        case .noAdapterRoot:
            "no folder is allowed to load adapters from; start serve with --adapter-root DIR"
        case .adapterInvalid(let why): "the adapter cannot be used: \(why)"
        case .baseMismatch(let why): "the adapter belongs to another base: \(why)"
        case .withoutEffect(let rows):
            "the adapter changes no logit of \(rows) probe rows; train it, or set"
                + " allow_without_probe"
        case .digestMismatch(let expected, let seen):
            "the adapter's content has the digest \(seen), not \(expected.shortened)"
        case .tenantForbidden(let what):
            "\(what): this adapter or model may not be used; ask the operator for it"
        case .quota(let tenant, let what, let seen, let max, let milliseconds):
            "tenant \(tenant) has \(seen) \(what), of at most \(max); try again in"
                + " \(milliseconds) ms"
        default: ""
        }
    }

    var details: [FailureDetail] {
        switch self {
        case .noModel: [precondition("server")]
        case .noAdapterRoot, .baseMismatch, .withoutEffect: [precondition("adapter")]
        case .promptTooLong(let tokens, _, let answer, let max):
            [
                .field(
                    path: "turns",
                    description: "\(tokens) and \(answer) tokens of at most \(max)")
            ]
        case .tooManyImages(let count):
            [
                .field(
                    path: "images",
                    description: "\(count) of at most \(InferenceLimits.imagesMax)")
            ]
        case .imageUnreadable(let field, let why), .imageTooLarge(let field, let why),
            .placeholders(let field, let why), .turns(let field, let why),
            .unsupported(let field, let why):
            [.field(path: field, description: why)]
        case .text(let field): [.field(path: field, description: "UTF-8 without NUL")]
        case .imageNotFound(_, let digest):
            [.resource(type: "image", name: digest.shortened, description: "it is not kept")]
        case .queueFull(let waiting, let max):
            [
                .retry(afterSeconds: InferenceLimits.retrySeconds),
                .quota(subject: "queue", description: "\(waiting) of \(max) waiting answers"),
            ]
        case .cacheTooSmall(let rows, let max):
            [.quota(subject: "cache", description: "\(rows) of \(max) tokens")]
        case .adapterInvalid(let why): [.field(path: "directory", description: why)]
        case .digestMismatch(_, let seen):
            [.field(path: "expected_sha256", description: "\(seen) was seen")]
        case .quota(let tenant, let what, let seen, let max, let milliseconds):
            [
                .retry(afterSeconds: Double(milliseconds) / 1_000),
                .quota(subject: "tenant \(tenant)", description: "\(seen) of \(max) \(what)"),
            ]
        case .answerFailed, .tenantForbidden, .unexpected: []
        }
    }

    private func precondition(_ subject: String) -> FailureDetail {
        .precondition(type: reason, subject: subject, description: message)
    }
}

extension InferenceError {
    /// What the generator refuses, as callers see it.
    static func of(_ error: GenerationError) -> any Failure {
        switch error {
        case .promptTooLong(let text, let images, let max):
            InferenceError.promptTooLong(
                tokens: text + images, imageTokens: images, answerTokens: 1, tokensMax: max)
        case .queueFull(let waiting, let max):
            InferenceError.queueFull(waiting: waiting, waitingMax: max)
        case .cacheTooSmall(let rows, let max):
            InferenceError.cacheTooSmall(rows: rows, rowsMax: max)
        case .tooManySamples(let count, let max):
            ResourceError.invalid(
                field: "answer_count", seen: "\(count)", allowed: "1 to \(max) is allowed")
        case .tooManyStopTexts(let count, let max):
            ResourceError.invalid(
                field: "sampling.stop_texts", seen: "\(count) texts",
                allowed: "at most \(max) are allowed")
        case .stopText(let index, let bytes, let max):
            ResourceError.invalid(
                field: "sampling.stop_texts[\(index)]", seen: "\(bytes) bytes",
                allowed: "1 to \(max) bytes are allowed")
        case .topLogProbabilities(let count, let max):
            ResourceError.invalid(
                field: "alternatives_max", seen: "\(count)", allowed: "0 to \(max) is allowed")
        default: InferenceError.turns(field: "turns", why: error.message)
        }
    }

    /// What is wrong with an image, as callers see it.
    static func of(_ error: ImageError, field: String) -> InferenceError {
        switch error {
        case .tooManyBytes, .tooManyPixels, .sideTooLong, .tooManyFrames:
            .imageTooLarge(field: field, why: error.message)
        default: .imageUnreadable(field: field, why: error.message)
        }
    }

    /// What is wrong with an adapter, as callers see it.
    static func of(_ error: AdapterError) -> InferenceError {
        switch error {
        case .unbound, .noTargets: .baseMismatch(why: error.message)
        default: .adapterInvalid(why: error.message)
        }
    }
}
