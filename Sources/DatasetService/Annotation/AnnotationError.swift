import Base
import Resources

/// Why annotation, guidelines or augmentation turned a call down.
enum AnnotationError: Failure, Hashable {
    case leaseExpired(task: String)
    case alreadyVoted(task: String, annotator: String)
    case votesMissing(dataset: String)
    case answerEmpty(field: String)
    case answerInvalid(field: String, problems: [String])
    case regionInvalid(field: String, why: String)
    case constraintInvalid(field: String, why: String)
    case transformForbidden([PlacedReason])

    /// What is wrong at a place.
    struct PlacedReason: Sendable, Hashable {
        let field: String
        let why: String
    }

    var kind: FailureKind {
        switch self {
        case .leaseExpired, .votesMissing: .precondition
        case .alreadyVoted: .alreadyExists
        default: .invalidInput
        }
    }

    var reason: String {
        switch self {
        case .leaseExpired: "LEASE_EXPIRED"
        case .alreadyVoted: "ALREADY_VOTED"
        case .votesMissing: "VOTES_MISSING"
        case .answerEmpty: "ANSWER_EMPTY"
        case .answerInvalid: "ANSWER_INVALID"
        case .regionInvalid: "REGION_INVALID"
        case .constraintInvalid: "CONSTRAINT_INVALID"
        case .transformForbidden: "TRANSFORM_FORBIDDEN"
        }
    }

    var message: String {
        switch self {
        case .leaseExpired(let task):
            "the lease of \(task.shortened) has run out or is another one; list tasks again"
        case .alreadyVoted(let task, let annotator):
            "\(annotator.shortened) has voted on \(task.shortened); set supersede to replace it"
        case .votesMissing(let dataset):
            "no row of \(dataset) that was asked for has two votes; 2 or more are needed"
        case .answerEmpty(let field): "\(field) is empty; give an answer, or skip the row"
        case .answerInvalid(let field, let problems):
            "\(field) is not allowed: \(problems.prefix(5).joined(separator: "; "))"
        case .regionInvalid(let field, let why), .constraintInvalid(let field, let why):
            "\(field): \(why)"
        case .transformForbidden(let reasons):
            reasons.prefix(5).map { "\($0.field): \($0.why)" }.joined(separator: "; ")
        }
    }

    var details: [FailureDetail] {
        switch self {
        case .leaseExpired(let task):
            [.precondition(type: reason, subject: task, description: message)]
        case .votesMissing(let dataset):
            [.precondition(type: reason, subject: dataset, description: message)]
        case .alreadyVoted(let task, _):
            [.resource(type: "", name: task, description: message)]
        case .answerEmpty(let field): [.field(path: field, description: message)]
        case .answerInvalid(let field, let problems):
            problems.prefix(100).map { .field(path: field, description: $0) }
        case .regionInvalid(let field, let why), .constraintInvalid(let field, let why):
            [.field(path: field, description: why)]
        case .transformForbidden(let reasons):
            reasons.map { .field(path: "policy.\($0.field)", description: $0.why) }
        }
    }
}
