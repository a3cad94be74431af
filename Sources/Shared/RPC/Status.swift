package import Base

/// The result of a call, as gRPC numbers it.
package enum StatusCode: Int, Sendable, CaseIterable {
    case ok = 0
    /// The caller went away, or asked to stop.
    case cancelled = 1
    /// An error that nobody classified.
    case unknown = 2
    /// The request is wrong whatever the state of the system.
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    /// Known caller, not allowed.
    case permissionDenied = 7
    /// A quota, a queue, memory or a disk is full.
    case resourceExhausted = 8
    /// The system is not in the state that the request needs; retrying alone will not help.
    case failedPrecondition = 9
    /// A concurrent change won; retry from the read.
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    /// A bug on the server's side.
    case internalError = 13
    /// Not now: retry with backoff.
    case unavailable = 14
    case dataLoss = 15
    /// No credentials, or unknown ones.
    case unauthenticated = 16

    /// The name in the gRPC specification, such as `INVALID_ARGUMENT`.
    package var name: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internalError: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }

    /// The code for a kind of failure: the one place where the two meet.
    package init(_ kind: FailureKind) {
        self =
            switch kind {
            case .invalidInput: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .precondition: .failedPrecondition
            case .conflict: .aborted
            case .exhausted: .resourceExhausted
            case .unauthenticated: .unauthenticated
            case .forbidden: .permissionDenied
            case .unavailable: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .cancelled: .cancelled
            case .outOfRange: .outOfRange
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            case .broken: .internalError
            }
    }
}

/// A call that did not end in OK. Handlers may throw it; clients receive it.
package struct RPCError: Error, Sendable, Hashable {
    package var code: StatusCode
    package var message: String
    /// UPPER_SNAKE_CASE, for programs; becomes the reason of `google.rpc.ErrorInfo`.
    package var reason: String
    /// Stable facts for `google.rpc.ErrorInfo.metadata`.
    package var facts: [String: String]
    package var details: [FailureDetail]
    /// `grpc-status-details-bin` as received (client), or to send instead of what `details` would
    /// give (server).
    package var encodedDetails: Bytes?
    /// Trailing metadata that came or goes with the error.
    package var metadata: Metadata

    package init(
        _ code: StatusCode, _ message: String, reason: String? = nil,
        facts: [String: String] = [:], details: [FailureDetail] = []
    ) {
        self.code = code
        self.message = message
        self.reason = reason ?? code.name
        self.facts = facts
        self.details = details
        encodedDetails = nil
        metadata = Metadata()
    }

    /// What a caller sees of `error`. Errors that are no `Failure` stay inside: their text may hold
    /// paths or secrets.
    package init(_ error: any Error) {
        if let error = error as? RPCError {
            self = error
        } else if let failure = error as? any Failure {
            self.init(
                StatusCode(failure.kind), failure.message, reason: failure.reason,
                facts: failure.facts, details: failure.details)
        } else if error is CancellationError {
            self.init(.cancelled, "the call was cancelled", reason: "CALL_CANCELLED")
        } else {
            self.init(
                .unknown, "an unexpected error; the server's log has it", reason: "UNEXPECTED")
        }
    }
}

extension RPCError: CustomStringConvertible {
    package var description: String { "\(code.name): \(message)" }
}
