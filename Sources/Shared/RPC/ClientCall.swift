import Base
import CNGHTTP2
import Glibc

/// What each request says of the server and to it.
struct ServerIdentity {
    /// The name of the server, as in a URL.
    let authority: String
    let isSecure: Bool
    /// The bearer token; nil for none.
    let token: String?
}

/// One call on the client: from its headers to its status. Touched only on its loop.
final class ClientCall: StreamOwner, TimerTarget, @unchecked Sendable {
    // The channel's loop runs everything here.
    private let loop: EventLoop
    private var stream: HTTP2Stream?
    private var timer: Timer?
    private var head: HeaderBlock?
    private(set) var trailingMetadata = Metadata()
    /// Why the call ended: nil inside for OK; nil outside while it goes on.
    private var outcome: RPCError??

    init(loop: EventLoop) { self.loop = loop }

    /// Metadata that came before the first response; empty until it came.
    var initialMetadata: Metadata { head?.metadata ?? Metadata() }

    /// Whether any answer came, so that trying again would not be the same call.
    var hasAnswer: Bool { head != nil }

    /// Opens the stream. Fails where the connection takes no more calls.
    func begin(
        _ path: MethodPath, to server: ServerIdentity, on connection: HTTP2Connection,
        options: CallOptions, deadline: MonotonicTime?
    ) throws(RPCError) {
        var fields = HeaderList()
        fields.append(":method", "POST")
        fields.append(":scheme", server.isSecure ? "https" : "http")
        fields.append(":path", path.description)
        fields.append(":authority", server.authority)
        fields.append("te", "trailers")
        fields.append("content-type", "application/grpc")
        fields.append("user-agent", "fovea-swift/1")
        fields.append("grpc-accept-encoding", "identity,gzip")
        if options.compress { fields.append("grpc-encoding", "gzip") }
        if let token = server.token { fields.append("authorization", "Bearer \(token)") }
        if let deadline {
            let left = deadline.seconds(since: .now())
            guard left > 0 else { throw ClientCall.deadlineExceeded }
            fields.append("grpc-timeout", TimeoutCoding.encode(seconds: left))
            timer = loop.schedule(self, at: deadline)
        }
        fields.append(options.metadata)
        guard let stream = connection.openStream(fields) else {
            stopTimer()
            throw RPCError(
                .unavailable, "the connection takes no more calls", reason: "STREAM_REFUSED")
        }
        self.stream = stream
        stream.owner = self
    }

    static let deadlineExceeded = RPCError(
        .deadlineExceeded, "the call took longer than its deadline", reason: "DEADLINE_PASSED")

    // MARK: The stream's events

    func streamReceived(_ block: HeaderBlock, isTrailers: Bool) {
        if head == nil, let error = ClientCall.httpError(block) {
            end(error)
            return cancelStream()
        }
        if isTrailers {
            trailingMetadata = block.metadata
            end(ClientCall.status(block))
        } else if block.httpStatus / 100 != 1 {
            head = block
        }
    }

    func streamHasInput() {}

    func streamInputFailed(_ error: FramingError) {
        end(RPCError(error))
        cancelStream()
    }

    func streamClosed(_ error: RPCError) { end(error) }

    func timerFired() {
        end(ClientCall.deadlineExceeded)
        cancelStream()
    }

    /// Ends the call from this side.
    func cancel() {
        guard outcome == nil else { return }
        end(RPCError(.cancelled, "the call was cancelled", reason: "CALL_CANCELLED"))
        cancelStream()
    }

    private func cancelStream() {
        guard let stream else { return }
        stream.connection?.reset(stream: stream.id, NGHTTP2_CANCEL)
    }

    private func end(_ error: RPCError?) {
        guard outcome == nil else { return }
        outcome = .some(error)
        stopTimer()
    }

    private func stopTimer() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    // MARK: What the client uses

    func enqueue(_ framed: Bytes) throws(RPCError) {
        do throws(RPCError) { try stream?.enqueue(framed) } catch { throw finalError(error) }
    }

    func write(_ framed: Bytes) async throws(RPCError) {
        do { try await stream?.write(framed) } catch { throw finalError(RPCError(error)) }
    }

    func endRequests() { stream?.endOutput(trailers: nil) }

    /// The next response; nil after the last one of a call that ended in OK.
    func next() async throws(RPCError) -> InboundMessage? {
        let message: InboundMessage?
        do {
            message = try await stream?.next()
        } catch {
            if error is CancellationError { cancel() }
            throw finalError(RPCError(error))
        }
        guard let message else {
            guard let outcome else {
                throw RPCError(
                    .internalError, "the server ended the stream without a status",
                    reason: "NO_STATUS")
            }
            if let error = outcome { throw error }
            return nil
        }
        guard !message.isCompressed || head?.encoding == "gzip" else {
            throw RPCError(FramingError.unannouncedCompression)
        }
        return message
    }

    /// The status that the server sent explains more than the broken stream does.
    private func finalError(_ error: RPCError) -> RPCError {
        if let outcome, let known = outcome { return known }
        return error
    }

    // MARK: Status

    /// The error of an answer that is no gRPC.
    private static func httpError(_ block: HeaderBlock) -> RPCError? {
        guard block.httpStatus != 200 || (!block.isGRPC && block.grpcStatus == nil) else {
            return nil
        }
        guard block.httpStatus / 100 != 1, block.grpcStatus == nil else { return nil }
        let code: StatusCode =
            switch block.httpStatus {
            case 400: .internalError
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 429, 502, 503, 504: .unavailable
            default: .unknown
            }
        return RPCError(
            code, "the server answered with HTTP status \(block.httpStatus) and no gRPC",
            reason: "NOT_GRPC")
    }

    /// The status in trailers; nil for OK.
    private static func status(_ block: HeaderBlock) -> RPCError? {
        guard let text = block.grpcStatus, let number = Int(text) else {
            return RPCError(
                .internalError, "the server's trailers have no status", reason: "NO_STATUS")
        }
        guard number != 0 else { return nil }
        var error = RPCError(StatusCode(rawValue: number) ?? .unknown, block.grpcMessage ?? "")
        error.encodedDetails = block.grpcDetails
        error.metadata = block.metadata
        return error
    }
}
