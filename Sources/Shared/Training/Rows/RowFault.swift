package import Base
package import Models

/// Why a row cannot be had, or cannot be trained on.
package enum RowFault: Failure {
    /// The row's own fault: a damaged image, a template that does not fit.
    case unreadable(row: String, why: String)
    /// The model cannot take it.
    case model(row: String, ModelError)
    /// Nothing is known against the row; its source cannot be reached.
    case unavailable(why: String)

    package var kind: FailureKind {
        switch self {
        case .unreadable: .invalidInput
        case .model(_, let error): error.kind
        case .unavailable: .unavailable
        }
    }

    package var reason: String {
        switch self {
        case .unreadable: "ROW_UNREADABLE"
        case .model(_, let error): error.reason
        case .unavailable: "ROWS_UNAVAILABLE"
        }
    }

    package var message: String {
        switch self {
        case .unreadable(let row, let why): "row \(row): \(why)"
        case .model(let row, let error): "row \(row): \(error.message)"
        case .unavailable(let why):
            "rows cannot be read now: \(why). The run can go on once they can"
        }
    }

    /// Whether the row itself is bad, so that a policy may skip it.
    package var isOfRow: Bool { if case .unavailable = self { false } else { true } }
}
