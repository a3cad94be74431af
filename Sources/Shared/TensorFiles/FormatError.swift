package import Base

/// What is wrong with the header of a file of tensors, or with the index of a checkpoint.
package enum FormatError: Failure, Hashable {
    /// Not even the eight bytes that say how long the header is.
    case tooShort(bytes: Int)
    case badHeaderLength(bytes: UInt64, bytesMax: Int)
    case headerBeyondFile(headerBytes: Int, bytesLeft: Int)
    /// Not JSON, or not the value that belongs there. `at` counts the bytes of the JSON before it.
    case unexpected(at: Int, expected: String)
    case notUTF8(at: Int)
    case tooDeep(at: Int, depthMax: Int)
    case tooMany(what: String, countMax: Int)
    case nameTooLong(bytes: Int, bytesMax: Int)
    case duplicate(name: String)
    case missing(field: String, of: String)
    case unknownType(tensor: String, type: String)
    /// Negative, fractional, or beyond 64 bits.
    case notACount(tensor: String, field: String, seen: String)
    case tooLarge(tensor: String, shape: [Int])
    case partialByte(tensor: String, bits: Int)
    case reversedOffsets(tensor: String, begin: Int, end: Int)
    case offsetsBeyondFile(tensor: String, end: Int, bytesMax: Int)
    case wrongByteCount(tensor: String, bytes: Int, expected: Int)
    case overlap(tensor: String, begin: Int, previousEnd: Int)
    case hole(tensor: String, begin: Int, previousEnd: Int)
    case trailingBytes(count: Int)
    /// The name under which a header keeps its metadata.
    case reservedName
    /// An index that names something other than a file beside it.
    case shardOutsideFolder(tensor: String)
    case indexTooLong(bytes: Int, bytesMax: Int)

    package var kind: FailureKind { .invalidInput }

    package var reason: String { "BAD_TENSOR_FILE" }

    package var message: String {
        switch self {
        case .tooShort, .badHeaderLength, .headerBeyondFile, .indexTooLong, .nameTooLong:
            lengthMessage
        case .unexpected, .notUTF8, .tooDeep, .tooMany, .duplicate, .missing: textMessage
        case .unknownType, .notACount, .tooLarge, .partialByte, .reservedName: tensorMessage
        case .shardOutsideFolder: tensorMessage
        default: placeMessage
        }
    }

    private var lengthMessage: String {
        switch self {
        case .tooShort(let bytes):
            "it has \(bytes) bytes; the length of the header alone takes 8"
        case .badHeaderLength(let bytes, let bytesMax):
            "its header has \(bytes) bytes; allowed are 1 to \(bytesMax)"
        case .headerBeyondFile(let headerBytes, let bytesLeft):
            "its header should have \(headerBytes) bytes, but the file has \(bytesLeft) more"
        case .indexTooLong(let bytes, let bytesMax):
            "the index has \(bytes) bytes; at most \(bytesMax) are read"
        case .nameTooLong(let bytes, let bytesMax):
            "a name has \(bytes) bytes; at most \(bytesMax) are allowed"
        default: ""
        }
    }

    private var textMessage: String {
        switch self {
        case .unexpected(let at, let expected): "byte \(at) of its JSON: expected \(expected)"
        case .notUTF8(let at): "the string at byte \(at) of its JSON is not UTF-8"
        case .tooDeep(let at, let depthMax):
            "byte \(at) of its JSON is nested deeper than \(depthMax) levels"
        case .tooMany(let what, let countMax): "it has more \(what) than \(countMax)"
        case .duplicate(let name): "\(shown(name)) is there twice"
        case .missing(let field, let owner): "\(shown(owner)) has no \(field)"
        default: ""
        }
    }

    private var tensorMessage: String {
        switch self {
        case .unknownType(let tensor, let type):
            "\(shown(tensor)) has the unknown type \(shown(type))"
        case .notACount(let tensor, let field, let seen):
            "\(field) of \(shown(tensor)) has \(shown(seen)); allowed are whole numbers from 0"
                + " to \(Int.max)"
        case .tooLarge(let tensor, let shape):
            "\(shown(tensor)) of shape \(shape) has more bits than 64-bit numbers count"
        case .partialByte(let tensor, let bits):
            "\(shown(tensor)) has \(bits) bits, which are no whole bytes"
        case .reservedName:
            "a tensor cannot be named __metadata__; choose another name"
        case .shardOutsideFolder(let tensor):
            "the shard of \(shown(tensor)) is not the plain name of a file beside the index"
        default: ""
        }
    }

    private var placeMessage: String {
        switch self {
        case .reversedOffsets(let tensor, let begin, let end):
            "\(shown(tensor)) begins at byte \(begin), after its end at \(end)"
        case .offsetsBeyondFile(let tensor, let end, let bytesMax):
            "\(shown(tensor)) ends at byte \(end); the file has \(bytesMax) after the header"
        case .wrongByteCount(let tensor, let bytes, let expected):
            "\(shown(tensor)) has \(bytes) bytes; its type and shape need \(expected)"
        case .overlap(let tensor, let begin, let previousEnd):
            "\(shown(tensor)) begins at byte \(begin), inside the tensor that ends at"
                + " \(previousEnd)"
        case .hole(let tensor, let begin, let previousEnd):
            "\(shown(tensor)) begins at byte \(begin); the bytes from \(previousEnd) on belong to"
                + " no tensor, which the format forbids"
        case .trailingBytes(let count): "the last \(count) bytes belong to no tensor"
        default: ""
        }
    }
}

/// A name from a file as messages show it: quoted, short, and nothing that a terminal obeys.
func shown(_ name: String) -> String {
    let scalars = name.unicodeScalars.prefix(121)
    var text = String.UnicodeScalarView()
    for scalar in scalars.prefix(120) {
        let isPlain: Bool
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            isPlain = false
        default: isPlain = true
        }
        text.append(isPlain ? scalar : "\u{fffd}")
    }
    return "'" + String(text) + (scalars.count > 120 ? "…'" : "'")
}
