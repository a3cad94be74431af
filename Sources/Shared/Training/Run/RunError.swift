package import Base
package import Models

/// Why a run cannot start or cannot go on. What it had reached stays as it is: whoever removes the
/// cause may advance again.
package enum RunError: Failure {
    case row(RowFault)
    case adapter(AdapterError)
    case checkpoint(CheckpointError)
    /// The metric that decides is not among those that were measured.
    case metricMissing(name: String, known: [String])
    /// The recipe was checked for other rows or another model.
    case unusable(field: String, seen: String, allowed: String)

    package var kind: FailureKind {
        switch self {
        case .row(let error): error.kind
        case .adapter(let error): error.kind
        case .checkpoint(let error): error.kind
        case .metricMissing, .unusable: .invalidInput
        }
    }

    package var reason: String {
        switch self {
        case .row(let error): error.reason
        case .adapter(let error): error.reason
        case .checkpoint(let error): error.reason
        case .metricMissing: "METRIC_UNKNOWN"
        case .unusable: "FIELD_INVALID"
        }
    }

    package var message: String {
        switch self {
        case .row(let error): error.message
        case .adapter(let error): error.message
        case .checkpoint(let error): error.message
        case .metricMissing(let name, let known):
            "early_stopping.metric is \(name); measured were " + known.joined(separator: ", ")
        case .unusable(let field, let seen, let allowed):
            "\(field) is \(seen); allowed is \(allowed)"
        }
    }
}
