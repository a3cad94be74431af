import Base
import Messages

/// Why the trainer turned something down, beside what any service of resources may say.
enum TrainerError: Failure, Hashable {
    case deviceAbsent(seen: String, known: [String])
    case modelUnsupported(why: String)
    case digestMismatch(what: String, expected: String, seen: String)
    case targetUnknown(seen: String, known: [String])
    case splitTooSmall(version: String, split: String, rows: Int, rowsMin: Int)
    case baseMismatch(what: String, expected: String, seen: String)
    case baselineMissing(version: String)
    case advisedAgainst(why: String)
    case doesNotFit(device: String, bytes: UInt64, bytesMax: UInt64, ways: [String])
    case contextExceeded(rows: Int, longest: String, tokens: Int, tokensMax: Int)
    case lossMask(row: String, trained: Int, tokens: Int)
    case imageTokensMissing(row: String, images: Int)
    case rowUnusable(row: String, why: String)
    case datasetsUnavailable(why: String)
    case datasetsRefuse(why: String)
    case evaluationsDiffer(first: String, second: String)
    case notBuilt(what: String)
    case unworkable(reason: FailureReason, message: String, fields: [Field])

    /// A field of a request and what is wrong with it.
    struct Field: Sendable, Hashable {
        let path: String
        let description: String
    }

    var kind: FailureKind {
        switch self {
        case .modelUnsupported, .targetUnknown, .evaluationsDiffer, .rowUnusable: .invalidInput
        case .deviceAbsent, .splitTooSmall, .baseMismatch, .baselineMissing, .advisedAgainst,
            .doesNotFit, .contextExceeded, .lossMask, .imageTokensMissing, .datasetsRefuse:
            .precondition
        case .digestMismatch: .dataLoss
        case .datasetsUnavailable: .unavailable
        case .notBuilt: .unimplemented
        case .unworkable(let reason, _, _):
            Self.preconditions.contains(reason) ? .precondition : .invalidInput
        }
    }

    /// Reasons that lie in rows rather than in the request.
    private static let preconditions: Set<FailureReason> = [
        .lossMaskInvalid, .imageTokensMissing, .contextExceeded,
    ]

    var failureReason: FailureReason {
        switch self {
        case .deviceAbsent: .deviceAbsent
        case .modelUnsupported: .modelUnsupported
        case .digestMismatch: .digestMismatch
        case .targetUnknown: .targetUnknown
        case .splitTooSmall: .splitTooSmall
        case .baseMismatch: .baseMismatch
        case .baselineMissing: .baselineMissing
        case .advisedAgainst: .advisedAgainst
        case .doesNotFit: .doesNotFit
        case .contextExceeded: .contextExceeded
        case .lossMask: .lossMaskInvalid
        case .imageTokensMissing: .imageTokensMissing
        case .rowUnusable: .imageUnreadable
        case .datasetsUnavailable, .datasetsRefuse: .dependencyUnavailable
        case .evaluationsDiffer: .evaluationsDiffer
        case .notBuilt: .notImplemented
        case .unworkable(let reason, _, _): reason
        }
    }

    var reason: String { failureReason.plainName }

    var message: String {
        switch self {
        case .deviceAbsent(let seen, let known):
            "there is no device '\(seen)'; this server has \(known.joined(separator: ", "))"
        case .modelUnsupported(let why): "this is no model that can be trained: \(why)"
        case .digestMismatch(let what, let expected, let seen):
            "\(what) has the digest \(seen), not \(expected); restore it or register it again"
        case .targetUnknown(let seen, let known):
            "the model has no layer '\(seen)'; it has \(known.joined(separator: ", "))"
        case .splitTooSmall(let version, let split, let rows, let rowsMin):
            "\(version) has \(rows) \(split) rows; at least \(rowsMin) are needed. Freeze a version"
                + " with more"
        case .baseMismatch(let what, let expected, let seen):
            "\(what) belongs to the base \(seen), not to \(expected)"
        case .baselineMissing(let version):
            "no baseline was measured on the test split of \(version); run one first, or set force"
                + " with a force_reason"
        case .advisedAgainst(let why): "\(why); to go on all the same set force with a force_reason"
        case .doesNotFit(let device, let bytes, let max, let ways):
            "the job needs \(bytes) bytes on \(device), which gives it \(max); "
                + (ways.isEmpty
                    ? "take fewer rows per step, smaller images or a smaller model"
                    : "what would fit: \(ways.joined(separator: "; "))")
        case .contextExceeded(let rows, let longest, let tokens, let max):
            "\(rows) rows are longer than the context of \(max) tokens; the longest, \(longest),"
                + " has \(tokens). Choose another overlength_policy or shorten them"
        case .lossMask(let row, let trained, let tokens):
            "\(trained) of the \(tokens) tokens of \(row) would be trained; some must be, not all"
        case .imageTokensMissing(let row, let images):
            "\(row) has \(images) images, but its input has no place for them"
        case .rowUnusable(let row, let why): "\(row) cannot be used: \(why)"
        case .datasetsUnavailable(let why):
            "the dataset service cannot be reached: \(why); start it or check --dataset-server"
        case .datasetsRefuse(let why):
            "the dataset service does not take this server's credentials: \(why); check"
                + " --dataset-token-file"
        case .evaluationsDiffer(let first, let second):
            "the evaluations were made on other rows: split digests \(first) and \(second)"
        case .notBuilt(let what): "\(what) comes with a later release"
        case .unworkable(_, let message, _): message
        }
    }

    var details: [FailureDetail] {
        switch self {
        case .deviceAbsent(_, let known):
            [
                .precondition(
                    type: reason, subject: "device",
                    description: "one of \(known.joined(separator: ", "))")
            ]
        case .targetUnknown: [.field(path: "spec.train.parts.target_modules", description: message)]
        case .modelUnsupported: [.field(path: "directory", description: message)]
        case .datasetsUnavailable: [.retry(afterSeconds: 5)]
        case .unworkable(_, _, let fields):
            fields.map { .field(path: $0.path, description: $0.description) }
        default:
            kind == .precondition
                ? [.precondition(type: reason, subject: "spec", description: message)] : []
        }
    }
}

extension Problem {
    /// What an error says, in the form that jobs and warnings keep.
    init(_ error: any Error) {
        self.init()
        guard let failure = error as? any Failure else {
            (reason, message) = (.internal, "an unexpected error; the server's log has it")
            return
        }
        reason = FailureReason(plainName: failure.reason) ?? Problem.reason(of: failure)
        message = failure.message
        if case .field(let path, let description)? = failure.details.first {
            (field, allowed) = (path, description)
        }
    }

    init(
        _ reason: FailureReason, field: String = "", seen: String = "", allowed: String = "",
        _ message: String
    ) {
        self.init()
        (self.reason, self.field, self.seen) = (reason, field, seen)
        (self.allowed, self.message) = (allowed, message)
    }

    /// For failures of libraries, whose own reasons are finer than those of the contract.
    private static func reason(of failure: any Failure) -> FailureReason {
        switch failure.kind {
        case .exhausted where failure.reason == "CHECKPOINT_UNWRITABLE": .diskFull
        case .invalidInput, .outOfRange: .fieldInvalid
        case .notFound: .resourceNotFound
        case .exhausted: .memoryExceeded
        case .unavailable: .dependencyUnavailable
        case .dataLoss: .digestMismatch
        case .unimplemented: .notImplemented
        default: .internal
        }
    }
}
