/// What went wrong, seen from the caller. One switch in `RPC` maps each to a gRPC code.
package enum FailureKind: Sendable, CaseIterable {
    /// The request itself is wrong, whatever the state of the system.
    case invalidInput
    case notFound
    case alreadyExists
    /// The system is not in the state that the request needs.
    case precondition
    /// A concurrent change won; read again and retry.
    case conflict
    /// A limit is reached: a queue, a quota, memory, disk.
    case exhausted
    /// No or unknown credentials.
    case unauthenticated
    /// Known, but not allowed.
    case forbidden
    /// Try again later, here or elsewhere.
    case unavailable
    case deadlineExceeded
    case cancelled
    case outOfRange
    case unimplemented
    case dataLoss
    /// Our bug.
    case broken
}

/// Facts about a failure that programs act on; each becomes a `google.rpc` detail message.
package enum FailureDetail: Sendable, Hashable {
    /// A request field and what is allowed there.
    case field(path: String, description: String)
    /// A limit: who or what it limits, and both numbers in words.
    case quota(subject: String, description: String)
    /// The resource that the failure is about.
    case resource(type: String, name: String, description: String)
    /// A condition that must hold first.
    case precondition(type: String, subject: String, description: String)
    /// Worth trying again after this time.
    case retry(afterSeconds: Double)
}

/// An error that knows how it looks from outside. Domain errors are enums conforming to this.
///
/// The message says what was seen, what is allowed and what to do; never a path or a secret.
package protocol Failure: Error {
    var kind: FailureKind { get }
    var message: String { get }
    /// UPPER_SNAKE_CASE, stable, for programs: the `reason` of `google.rpc.ErrorInfo`.
    var reason: String { get }
    var details: [FailureDetail] { get }
    /// Further stable key-value facts for `google.rpc.ErrorInfo.metadata`.
    var facts: [String: String] { get }
}

extension Failure {
    package var details: [FailureDetail] { [] }
    package var facts: [String: String] { [:] }
}
