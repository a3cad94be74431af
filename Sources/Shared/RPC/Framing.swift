import Base
import Glibc

/// One message as it came: still compressed, if it was sent so.
struct InboundMessage: Sendable {
    let bytes: Bytes
    let isCompressed: Bool
}

/// Why the bytes of a stream are not gRPC messages.
enum FramingError: Failure, Hashable {
    case tooLarge(bytes: Int, bytesMax: Int)
    case badFlag(UInt8)
    case truncated(bytes: Int, expected: Int)
    /// A compressed message on a stream that announced no compression.
    case unannouncedCompression
    /// The server's buffers are full.
    case overBudget(bytes: Int, bytesMax: Int)

    var kind: FailureKind {
        switch self {
        case .tooLarge, .overBudget: .exhausted
        case .badFlag, .truncated, .unannouncedCompression: .broken
        }
    }

    var reason: String {
        switch self {
        case .tooLarge: "MESSAGE_TOO_LARGE"
        case .overBudget: "SERVER_BUFFERS_FULL"
        case .badFlag, .truncated, .unannouncedCompression: "BAD_MESSAGE_FRAME"
        }
    }

    var message: String {
        switch self {
        case .tooLarge(let bytes, let bytesMax):
            "a message of \(bytes) bytes is larger than the \(bytesMax) bytes allowed;"
                + " send it in smaller pieces"
        case .badFlag(let flag):
            "a message begins with the flag \(flag); 0 and 1 are allowed"
        case .truncated(let bytes, let expected):
            "the stream ended after \(bytes) of the \(expected) bytes of a message"
        case .unannouncedCompression:
            "a message is marked as compressed, but the call has no grpc-encoding"
        case .overBudget(let bytes, let bytesMax):
            "a message of \(bytes) bytes does not fit the \(bytesMax) bytes that wait in this"
                + " server's buffers; try again later"
        }
    }

    var details: [FailureDetail] {
        switch self {
        case .tooLarge: [.quota(subject: "message", description: message)]
        case .overBudget:
            [.quota(subject: "server buffers", description: message), .retry(afterSeconds: 1)]
        default: []
        }
    }
}

/// Bytes that may wait in buffers, counted for all connections of a loop.
final class BufferBudget {
    let bytesMax: Int
    private(set) var usedBytes = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Takes all of `bytes`, or nothing and returns false.
    func reserve(_ bytes: Int) -> Bool {
        guard usedBytes + bytes <= bytesMax else { return false }
        usedBytes += bytes
        return true
    }

    func release(_ bytes: Int) {
        usedBytes -= bytes
        precondition(usedBytes >= 0, "BufferBudget: released more than was reserved")
    }
}

/// Cuts a stream of bytes into messages: one flag byte, four bytes of length, the message.
///
/// A message that is announced but has not come takes no memory: the buffer grows with what
/// arrives. The budget counts the buffer, and stays reserved for a complete message until the
/// caller releases it.
struct MessageAssembler: ~Copyable {
    static let prefixBytes = 5

    private let bytesMax: Int
    private let budget: BufferBudget
    private var prefix: UInt64 = 0
    private var prefixCount = 0
    private var expected = 0
    private var buffer: UnsafeMutableRawPointer?
    private var capacity = 0
    private var filled = 0

    init(bytesMax: Int, budget: BufferBudget) {
        (self.bytesMax, self.budget) = (bytesMax, budget)
    }

    deinit {
        free(buffer)
        if capacity > 0 { budget.release(capacity) }
    }

    /// Whether a message has begun and not ended.
    var isPartial: Bool { prefixCount > 0 }

    /// The error of a stream that ends now; nil if it ends between messages.
    var endError: FramingError? {
        isPartial
            ? .truncated(bytes: prefixCount + filled, expected: MessageAssembler.prefixBytes + expected)
            : nil
    }

    /// Takes bytes from the front of `input` until a message is complete or the input is empty.
    mutating func take(_ input: inout UnsafeRawBufferPointer) throws(FramingError)
        -> InboundMessage?
    {
        while prefixCount < MessageAssembler.prefixBytes {
            guard let byte = input.first else { return nil }
            prefix = prefix << 8 | UInt64(byte)
            prefixCount += 1
            input = UnsafeRawBufferPointer(rebasing: input.dropFirst())
            if prefixCount == MessageAssembler.prefixBytes { try checkPrefix() }
        }
        if filled == 0, input.count >= expected { return try takeWhole(&input) }
        guard !input.isEmpty else { return nil }
        let count = min(expected - filled, input.count)
        try grow(toHold: filled + count)
        if let buffer, let base = input.baseAddress { memcpy(buffer + filled, base, count) }
        filled += count
        input = UnsafeRawBufferPointer(rebasing: input.dropFirst(count))
        return filled == expected ? finish() : nil
    }

    private func checkPrefix() throws(FramingError) {
        let flag = UInt8(truncatingIfNeeded: prefix >> 32)
        guard flag <= 1 else { throw .badFlag(flag) }
        let length = Int(prefix & 0xffff_ffff)
        guard length <= bytesMax else { throw .tooLarge(bytes: length, bytesMax: bytesMax) }
    }

    private mutating func takeWhole(_ input: inout UnsafeRawBufferPointer) throws(FramingError)
        -> InboundMessage?
    {
        expected = Int(prefix & 0xffff_ffff)
        guard input.count >= expected else { return try take(&input) }
        guard budget.reserve(expected) else {
            throw .overBudget(bytes: expected, bytesMax: budget.bytesMax)
        }
        let bytes = Bytes(copying: UnsafeRawBufferPointer(rebasing: input.prefix(expected)))
        input = UnsafeRawBufferPointer(rebasing: input.dropFirst(expected))
        return message(bytes)
    }

    private mutating func finish() -> InboundMessage {
        guard let buffer else { return message(Bytes()) }
        let bytes = Bytes(adopting: buffer, count: filled)
        // The budget now counts the message instead of the buffer.
        budget.release(capacity - filled)
        (self.buffer, capacity, filled) = (nil, 0, 0)
        return message(bytes)
    }

    private mutating func message(_ bytes: Bytes) -> InboundMessage {
        let isCompressed = prefix >> 32 & 1 == 1
        (prefix, prefixCount, expected) = (0, 0, 0)
        return InboundMessage(bytes: bytes, isCompressed: isCompressed)
    }

    private mutating func grow(toHold count: Int) throws(FramingError) {
        guard count > capacity else { return }
        let wanted = min(expected, max(count, capacity * 2, 64 << 10))
        guard budget.reserve(wanted - capacity) else {
            throw .overBudget(bytes: expected, bytesMax: budget.bytesMax)
        }
        buffer = realloc(buffer, wanted)
        precondition(buffer != nil, "MessageAssembler: no memory for \(wanted) bytes")
        capacity = wanted
    }
}

/// A first-in, first-out queue over an array.
struct Queue<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 32, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func removeAll() {
        elements = []
        head = 0
    }

    /// Calls `body` with each element from the front until it returns false.
    func forEachFromFront(_ body: (Element) -> Bool) {
        for index in head..<elements.count {
            guard let element = elements[index], body(element) else { return }
        }
    }
}
