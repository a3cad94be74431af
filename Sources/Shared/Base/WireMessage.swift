/// Why bytes are not a message, or a message cannot become bytes.
package enum WireError: Failure, Hashable {
    /// Not a valid encoding of the message.
    case malformed(message: String, why: String)
    /// Messages inside messages beyond the limit.
    case tooDeep(message: String, depthMax: Int)
    /// Decoding would take more memory than its budget.
    case overBudget(message: String, budgetBytes: Int)
    /// The encoding would be larger than a length can say (2 GiB).
    case tooLarge(message: String, bytes: Int)

    package var kind: FailureKind {
        switch self {
        case .malformed, .tooDeep: .invalidInput
        case .overBudget, .tooLarge: .exhausted
        }
    }

    package var reason: String {
        switch self {
        case .malformed: "MALFORMED_MESSAGE"
        case .tooDeep: "MESSAGE_TOO_DEEP"
        case .overBudget: "MESSAGE_OVER_BUDGET"
        case .tooLarge: "MESSAGE_TOO_LARGE"
        }
    }

    package var message: String {
        switch self {
        case .malformed(let message, let why):
            "not a valid \(message): \(why)"
        case .tooDeep(let message, let depthMax):
            "\(message) nests messages deeper than the \(depthMax) levels allowed"
        case .overBudget(let message, let budgetBytes):
            "decoding \(message) needs more than the \(budgetBytes) bytes allowed;"
                + " send fewer or smaller elements"
        case .tooLarge(let message, let bytes):
            "\(message) would take \(bytes) bytes on the wire, more than the 2147483647 allowed"
        }
    }
}

/// A message that can be written to and read from the wire.
package protocol WireMessage: Sendable {
    /// The full name in the proto files, such as `fovea.dataset.v1.Dataset`.
    static var messageName: String { get }

    init()

    /// Reads a message from hostile bytes.
    ///
    /// Large `bytes` fields may share memory with `bytes`.
    init(decoding bytes: Bytes) throws(WireError)

    /// Writes the message: asks `reserve` once for exactly as many bytes as it takes, and fills
    /// them.
    func encode(
        reserving reserve: (_ count: Int) throws(WireError) -> UnsafeMutableRawPointer
    ) throws(WireError)
}

extension WireMessage {
    /// The message as bytes of its own.
    package func encoded() throws(WireError) -> Bytes {
        var target: (base: UnsafeMutableRawPointer, count: Int)?
        try encode { (count: Int) throws(WireError) in
            let base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 16)
            target = (base, count)
            return base
        }
        guard let (base, count) = target else { return Bytes() }
        return Bytes(adopting: base, count: count)
    }
}
