package import Base

/// Why a tokenizer cannot be built from its files, or a text not be turned into tokens.
package enum TokenizerError: Failure, Hashable {
    /// A file that is not what its name says.
    case malformed(file: String, place: String, why: String)
    /// Something that tokenizer files may ask for and this tokenizer does not do.
    case unsupported(place: String, seen: String, allowed: [String])
    /// None of the files a tokenizer can be made from.
    case missing(files: [String])
    /// A file could not be read.
    case unreadable(file: String, why: String)
    /// More of something than there may be.
    case tooMany(what: String, count: Int, countMax: Int)
    /// A pattern that this matcher cannot compile.
    case badPattern(pattern: String, offset: Int, why: String)
    /// A pattern that goes back and forth over the text.
    case patternTooSlow(textBytes: Int, stepsMax: Int)

    package var kind: FailureKind {
        switch self {
        case .malformed, .badPattern: .invalidInput
        case .unsupported: .unimplemented
        case .missing, .unreadable: .notFound
        case .tooMany, .patternTooSlow: .exhausted
        }
    }

    package var reason: String {
        switch self {
        case .malformed: "MALFORMED_TOKENIZER"
        case .unsupported: "UNSUPPORTED_TOKENIZER"
        case .missing: "TOKENIZER_MISSING"
        case .unreadable: "TOKENIZER_UNREADABLE"
        case .tooMany: "TOKENIZER_LIMIT"
        case .badPattern: "BAD_TOKENIZER_PATTERN"
        case .patternTooSlow: "TOKENIZER_PATTERN_TOO_SLOW"
        }
    }

    package var message: String {
        switch self {
        case .malformed(let file, let place, let why):
            "\(file)\(place.isEmpty ? "" : " at \(place)"): \(why)"
        case .unsupported(let place, let seen, let allowed):
            "tokenizer: \(place) is '\(seen)'; supported here: \(allowed.joined(separator: ", "))"
        case .missing(let files):
            "no tokenizer: the folder has none of \(files.joined(separator: ", "))"
        case .unreadable(let file, let why):
            "\(file) cannot be read: \(why)"
        case .tooMany(let what, let count, let countMax):
            "\(count) \(what), more than the \(countMax) allowed"
        case .badPattern(let pattern, let offset, let why):
            "pattern '\(pattern)' at \(offset): \(why)"
        case .patternTooSlow(let textBytes, let stepsMax):
            "the tokenizer's pattern took more than \(stepsMax) steps on \(textBytes) bytes"
        }
    }
}
