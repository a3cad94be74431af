package import Base

/// Why rows cannot be scored as asked.
package enum EvaluationError: Failure, Hashable {
    case drawsOutOfRange(seen: Int)
    case levelOutOfRange(seen: Double)
    case classCount(seen: Int, max: Int)
    case classTwice(name: String)
    case pointerInvalid(seen: String)
    case lengthsDiffer(what: String, seen: Int, expected: Int)
    case notFinite(what: String, row: Int)
    case outOfRange(what: String, row: Int, seen: Double)

    package var kind: FailureKind { .invalidInput }
    package var reason: String { "FIELD_INVALID" }
    package var message: String {
        switch self {
        case .drawsOutOfRange(let seen):
            "\(seen) draws of the bootstrap; \(Bootstrap.drawsAllowed.lowerBound) to "
                + "\(Bootstrap.drawsAllowed.upperBound) are allowed"
        case .levelOutOfRange(let seen):
            "a confidence level of \(seen); above 0.5 and below 1 is allowed"
        case .classCount(let seen, let max): "\(seen) classes; 1 to \(max) are allowed"
        case .classTwice(let name):
            "\"\(name.prefix(80))\" is read as a class that is listed already; case, blanks and "
                + "outer punctuation do not tell classes apart, so rename one of them"
        case .pointerInvalid(let seen):
            "\"\(seen.prefix(80))\" is no JSON pointer; it is empty or starts with a slash"
        case .lengthsDiffer(let what, let seen, let expected):
            "\(seen) \(what) for \(expected) rows; one for each row is needed"
        case .notFinite(let what, let row):
            "\(what) of row \(row) is not a finite number"
        case .outOfRange(let what, let row, let seen):
            "\(what) of row \(row) is \(seen); 0 to 1 is allowed"
        }
    }
}
