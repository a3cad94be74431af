package import Base
package import Images
package import Layers
package import Text

/// Why a folder is no model that can be run, or an input none that a model can take.
package enum ModelError: Failure {
    case badConfig(field: String, seen: String, allowed: String)
    case unknownArchitecture(seen: String, known: [String])
    case unreadable(file: String, why: String)
    case weights(WeightError)
    case tokenizer(TokenizerError)
    case template(TemplateError)
    case image(index: Int, ImageError)
    case preprocessing(ImageError)
    /// A conversation of more tokens than the model can place.
    case tooLong(tokens: Int, imageTokens: Int, tokensMax: Int)
    /// Images given and places for them in the conversation.
    case imageCount(images: Int, places: Int)
    /// A token that the model's tables do not have.
    case tokenOutOfRange(id: Int, vocabulary: Int)

    package var kind: FailureKind {
        switch self {
        case .weights(let error): error.kind
        case .tokenizer(let error): error.kind
        case .template(let error): error.kind
        case .image(_, let error), .preprocessing(let error): error.kind
        case .unreadable: .notFound
        case .unknownArchitecture: .unimplemented
        case .tooLong: .outOfRange
        case .badConfig, .imageCount, .tokenOutOfRange: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .weights(let error): error.reason
        case .tokenizer(let error): error.reason
        case .template(let error): error.reason
        case .image(_, let error), .preprocessing(let error): error.reason
        case .unreadable: "MODEL_FILE_NOT_FOUND"
        case .unknownArchitecture: "MODEL_ARCHITECTURE_UNKNOWN"
        case .tooLong: "SEQUENCE_TOO_LONG"
        case .badConfig: "BAD_MODEL_CONFIG"
        case .imageCount: "IMAGE_COUNT_MISMATCH"
        case .tokenOutOfRange: "TOKEN_OUT_OF_RANGE"
        }
    }

    package var message: String {
        switch self {
        case .badConfig(let field, let seen, let allowed):
            "\(field) is \(seen); allowed is \(allowed)"
        case .unknownArchitecture(let seen, let known):
            "the model is of type '\(seen)'; known are \(known.joined(separator: ", "))"
        case .unreadable(let file, let why): "\(file): \(why)"
        case .weights(let error): error.message
        case .tokenizer(let error): error.message
        case .template(let error): error.message
        case .image(let index, let error): "image \(index + 1): \(error.message)"
        case .preprocessing(let error): error.message
        case .tooLong(let tokens, let imageTokens, let tokensMax):
            "the conversation has \(tokens) tokens, \(imageTokens) of them for images; "
                + "the model takes \(tokensMax). Use fewer or smaller images, or less text"
        case .imageCount(let images, let places):
            "\(images) images for \(places) places in the conversation; give one for each"
        case .tokenOutOfRange(let id, let vocabulary):
            "token \(id) is not in the model's vocabulary of \(vocabulary)"
        }
    }
}
