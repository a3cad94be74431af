import Base
import CNGHTTP2
import Glibc

/// The two ends of a call above the stream: a server's call or a client's.
protocol StreamOwner: AnyObject {
    /// Response headers, or trailers, have come (clients only).
    func streamReceived(_ block: HeaderBlock, isTrailers: Bool)
    /// A message has come, or the peer has ended its side.
    func streamHasInput()
    /// The peer's bytes are not gRPC. The owner ends the call.
    func streamInputFailed(_ error: FramingError)
    /// Nothing moves any more. Called once.
    func streamClosed(_ error: RPCError)
}

/// One HTTP/2 stream as two queues of messages.
final class HTTP2Stream: @unchecked Sendable {
    // Touched only on its loop; others pass it on and no more.
    private(set) var connection: HTTP2Connection?
    let loop: EventLoop
    var id: Int32
    var slot = -1
    var owner: (any StreamOwner)?
    /// When the last byte of a message came.
    private(set) var lastInput: MonotonicTime

    private var assembler: MessageAssembler
    private var inbox = Queue<InboundMessage>()
    private var inboxBytes = 0
    /// Received bytes whose window has not been given back.
    private var withheldBytes: Int = 0
    private(set) var inputEnded = false
    private var inputFailed = false
    private var reader: UnsafeContinuation<InboundMessage?, any Error>?
    /// Runs while input is dropped after the answer.
    private var discard: Timer?
    private var discardedBytes = 0

    private var outbox = Queue<Bytes>()
    private var sentOfFirst = 0
    private(set) var outboxBytes = 0
    private var outputEnded = false
    private var isDeferred = false
    private typealias Writer = UnsafeContinuation<Void, any Error>
    private var writers: [Writer] = []
    /// Sent after the last message; nil on a client, whose side just ends.
    private var trailers: HeaderList?
    private var hasPlainTrailers = false
    private(set) var closeError: RPCError?

    init(connection: HTTP2Connection, id: Int32) {
        self.connection = connection
        self.id = id
        loop = connection.loop
        lastInput = connection.loop.now
        assembler = MessageAssembler(
            bytesMax: connection.limits.messageBytesMax, budget: connection.budget)
    }

    // MARK: Input

    /// Takes bytes of a DATA frame.
    func receive(_ data: UnsafeRawBufferPointer) {
        lastInput = loop.now
        withheldBytes += data.count
        if let discard { return self.discard(data.count, discard) }
        guard !inputFailed, closeError == nil else { return returnWindow() }
        var input = data
        do throws(FramingError) {
            while let message = try assembler.take(&input) {
                inboxBytes += message.bytes.count
                inbox.append(message)
            }
        } catch {
            return failInput(error)
        }
        returnWindow()
        deliver()
    }

    /// The peer sends no more.
    func receiveEnd() {
        guard !inputEnded, !inputFailed else { return }
        if let error = assembler.endError { return failInput(error) }
        inputEnded = true
        deliver()
    }

    /// The answer is given. The rest of the request, mostly its end, is on its way: it is read and
    /// dropped for a while, since some clients take a reset for an error of the answer.
    func discardInput() {
        guard discard == nil, let connection else { return }
        let reset = StreamReset(id: id, connection: connection)
        discard = loop.schedule(
            reset, at: loop.now.advanced(bySeconds: StreamReset.patienceSeconds))
    }

    private func discard(_ count: Int, _ timer: Timer) {
        discardedBytes += count
        guard discardedBytes > StreamReset.bytesMax else { return returnWindow() }
        loop.cancel(timer)
        connection?.reset(stream: id, NGHTTP2_NO_ERROR)
    }

    private func failInput(_ error: FramingError) {
        inputFailed = true
        returnWindow()
        owner?.streamInputFailed(error)
    }

    private func deliver() {
        if let reader, !inbox.isEmpty || inputEnded {
            self.reader = nil
            reader.resume(returning: popMessage())
        }
        owner?.streamHasInput()
    }

    /// Whether a message began and did not go on for that long.
    func isStalled(since limit: MonotonicTime) -> Bool {
        assembler.isPartial && lastInput < limit
    }

    /// Messages that wait for the reader.
    var waitingMessages: Int { inbox.count }

    /// Takes the next message without waiting; nil if there is none.
    func popMessage() -> InboundMessage? {
        guard let message = inbox.popFirst() else { return nil }
        if closeError == nil {
            inboxBytes -= message.bytes.count
            connection?.budget.release(message.bytes.count)
            returnWindow()
        }
        return message
    }

    /// The next message; nil after the last. One reader at a time.
    func next() async throws -> InboundMessage? {
        if let message = popMessage() { return message }
        if inputEnded { return nil }
        if let closeError { throw closeError }
        guard reader == nil else {
            throw RPCError(.internalError, "two tasks read from one call", reason: "TWO_READERS")
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    reader = continuation
                }
            }
        } onCancel: {
            loop.submit { self.cancelReader() }
        }
    }

    private func cancelReader() {
        reader?.resume(throwing: CancellationError())
        reader = nil
    }

    /// Gives the peer its window back while the reader keeps up.
    private func returnWindow() {
        guard withheldBytes > 0, let connection, closeError == nil else { return }
        let keepsUp =
            inbox.count < ConnectionLimits.queuedMessagesMax
            && inboxBytes < ConnectionLimits.queuedBytesMax
        guard keepsUp || inputFailed || discard != nil else { return }
        connection.consume(stream: id, bytes: withheldBytes)
        withheldBytes = 0
    }

    // MARK: Output

    /// Queues a framed message. Fails if the stream is closed or its side has ended.
    func enqueue(_ framed: Bytes) throws(RPCError) {
        if let closeError { throw closeError }
        guard !outputEnded, let connection else {
            throw RPCError(.internalError, "the call has ended already", reason: "CALL_ENDED")
        }
        guard connection.budget.reserve(framed.count) else {
            throw RPCError(
                FramingError.overBudget(
                    bytes: framed.count, bytesMax: connection.budget.bytesMax))
        }
        outbox.append(framed)
        outboxBytes += framed.count
        resumeOutput()
    }

    /// Queues a framed message and waits while too much is queued.
    func write(_ framed: Bytes) async throws {
        try enqueue(framed)
        while outboxBytes > ConnectionLimits.writeHighWaterBytes {
            try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { (continuation: Writer) in
                    if let closeError {
                        continuation.resume(throwing: closeError)
                    } else if Task.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else {
                        writers.append(continuation)
                    }
                }
            } onCancel: {
                loop.submit { self.cancelWriters() }
            }
        }
    }

    private func cancelWriters() {
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume(throwing: CancellationError()) }
    }

    /// Ends this side after what is queued.
    ///
    /// - Parameter trailers: fields to send last (servers)
    func endOutput(trailers: HeaderList?) {
        guard !outputEnded, closeError == nil else { return }
        outputEnded = true
        self.trailers = trailers
        resumeOutput()
    }

    /// Ends this side with the trailers of a success, which are the same for all calls.
    func endOutputWithSuccess() {
        guard !outputEnded, closeError == nil else { return }
        outputEnded = true
        hasPlainTrailers = true
        resumeOutput()
    }

    /// Forgets what is queued, so that an error need not wait behind it.
    func discardOutput() {
        guard sentOfFirst == 0 else { return }
        connection?.budget.release(outboxBytes)
        outbox.removeAll()
        outboxBytes = 0
        resumeWriters()
    }

    private func resumeOutput() {
        guard let connection else { return }
        if isDeferred {
            isDeferred = false
            connection.resumeData(stream: id)
        }
        connection.markDirty()
    }

    private func resumeWriters() {
        guard !writers.isEmpty, outboxBytes <= ConnectionLimits.writeLowWaterBytes else { return }
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume() }
    }

    /// nghttp2 asks how much of a DATA frame there is to send.
    func provide(_ length: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        let count = min(length, outboxBytes)
        guard count == outboxBytes else { return count }
        guard outputEnded else {
            guard count == 0 else { return count }
            isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        guard hasPlainTrailers || trailers != nil else { return count }
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        if let trailers {
            connection?.submitTrailers(stream: id, trailers)
        } else {
            connection?.submitSuccessTrailers(stream: id)
        }
        return count
    }

    /// Moves `count` bytes of queued messages to the connection's output.
    func moveOutput(_ count: Int, to output: inout OutputBuffer) {
        var left = count
        while left > 0, let first = outbox.first {
            let take = min(left, first.count - sentOfFirst)
            if take == first.count {
                output.append(first)
            } else {
                output.append(first.slice(sentOfFirst..<sentOfFirst + take))
            }
            left -= take
            sentOfFirst += take
            if sentOfFirst == first.count {
                _ = outbox.popFirst()
                sentOfFirst = 0
            }
        }
        outboxBytes -= count
        connection?.budget.release(count)
        resumeWriters()
    }

    // MARK: End

    /// The stream is gone: everybody who waits learns why.
    func close(_ error: RPCError) {
        guard closeError == nil, let connection else { return }
        closeError = error
        if let discard { loop.cancel(discard) }
        connection.budget.release(inboxBytes + outboxBytes)
        inboxBytes = 0
        outboxBytes = 0
        // What came to its end may still be read, even after the stream is gone.
        if !inputEnded { inbox.removeAll() }
        outbox.removeAll()
        reader?.resume(throwing: error)
        reader = nil
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume(throwing: error) }
        let owner = self.owner
        self.owner = nil
        owner?.streamClosed(error)
        self.connection = nil
    }
}

/// The end of the patience with a client that goes on sending after the answer.
private final class StreamReset: TimerTarget {
    static let patienceSeconds = 0.5
    static let bytesMax = 64 << 10

    private let id: Int32
    private let connection: HTTP2Connection

    init(id: Int32, connection: HTTP2Connection) { (self.id, self.connection) = (id, connection) }

    func timerFired() { connection.reset(stream: id, NGHTTP2_NO_ERROR) }
}
