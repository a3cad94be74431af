import Base
import Quality

/// Why a policy of augmentation cannot be used.
enum AugmentationError: Failure, Hashable {
    /// What is wrong, step by step.
    case refused([PolicyProblem])

    var kind: FailureKind { .invalidInput }

    var reason: String {
        switch self {
        case .refused(let problems):
            problems.contains { $0.severity == .forbidden }
                ? "TRANSFORM_FORBIDDEN" : "FIELD_INVALID"
        }
    }

    var message: String {
        switch self {
        case .refused(let problems):
            problems.map { "policy.\($0.field): \($0.message)" }.joined(separator: "; ")
        }
    }

    var details: [FailureDetail] {
        switch self {
        case .refused(let problems):
            problems.map { .field(path: "policy.\($0.field)", description: $0.message) }
        }
    }
}
