package import Base

/// Why a chat template cannot be read, or a conversation not be rendered with it.
package enum TemplateError: Failure, Hashable {
    /// Not the template language.
    case syntax(line: Int, why: String)
    /// A statement, filter, test, function or method that is not supported.
    case unsupported(line: Int, seen: String, allowed: [String])
    /// A value that does not fit where it is used.
    case wrongValue(line: Int, why: String)
    /// The template itself refused the conversation.
    case raised(line: Int, message: String)
    /// The template would work without end or take too much memory.
    case overLimit(line: Int, what: String, max: Int)
    /// The model's folder has no chat template and its family needs one.
    case missing(files: [String])
    /// The conversation has images, and what the template rendered has another number of places
    /// for them.
    case imageSlots(images: Int, slots: Int, placeholder: String)
    /// Token counts were given for another number of images than the conversation has.
    case imageCounts(images: Int, counts: Int)
    /// An image would become no tokens, or more than there may be.
    case tokensOfImage(index: Int, tokens: Int, tokensMax: Int)
    /// What the template rendered does not show which part the assistant wrote.
    case assistantUnclear(message: Int, why: String)
    /// A conversation that this family's prompt cannot express.
    case conversation(why: String)
    /// The rendered text could not be tokenised.
    case tokenizer(TokenizerError)
    /// A token that the prompt needs and the tokenizer does not have.
    case noSuchToken(String)

    package var kind: FailureKind {
        switch self {
        case .unsupported: .unimplemented
        case .tokenizer(let error): error.kind
        case .overLimit: .exhausted
        case .missing: .notFound
        case .imageSlots, .assistantUnclear, .noSuchToken: .precondition
        default: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .syntax: "TEMPLATE_SYNTAX"
        case .unsupported: "TEMPLATE_UNSUPPORTED"
        case .wrongValue: "TEMPLATE_VALUE"
        case .raised: "TEMPLATE_REFUSED"
        case .overLimit: "TEMPLATE_LIMIT"
        case .missing: "TEMPLATE_MISSING"
        case .imageSlots: "IMAGE_SLOTS"
        case .imageCounts: "IMAGE_COUNTS"
        case .tokensOfImage: "IMAGE_TOKENS"
        case .assistantUnclear: "ASSISTANT_UNCLEAR"
        case .conversation: "CONVERSATION"
        case .noSuchToken: "NO_SUCH_TOKEN"
        case .tokenizer(let error): error.reason
        }
    }

    package var message: String {
        switch self {
        case .syntax(let line, let why): "chat template, line \(line): \(why)"
        case .unsupported(let line, let seen, let allowed):
            "chat template, line \(line): \(seen) is not supported; there are "
                + allowed.joined(separator: ", ")
        case .wrongValue(let line, let why): "chat template, line \(line): \(why)"
        case .raised(let line, let message):
            "the chat template refuses the conversation (line \(line)): \(message)"
        case .overLimit(let line, let what, let max):
            "chat template, line \(line): more than \(max) \(what)"
        case .missing(let files):
            "no chat template: the folder has none of \(files.joined(separator: ", "))"
        case .imageSlots(let images, let slots, let placeholder):
            "the conversation has \(images) images, but the chat template rendered \(slots) times"
                + " '\(placeholder)'; use a template that gives each image a place"
        case .imageCounts(let images, let counts):
            "token counts were given for \(counts) images; the conversation has \(images)"
        case .tokensOfImage(let index, let tokens, let tokensMax):
            "image \(index) has \(tokens) tokens; 1 to \(tokensMax) are allowed"
        case .assistantUnclear(let message, let why):
            "message \(message): which part the assistant wrote is not clear: \(why)"
        case .conversation(let why): why
        case .tokenizer(let error): error.message
        case .noSuchToken(let token): "the tokenizer has no token '\(token)'"
        }
    }
}
