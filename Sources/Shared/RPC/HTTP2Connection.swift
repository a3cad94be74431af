import Base
import CLinux
import CNGHTTP2
import Glibc

/// Who made a connection and hears of its life.
protocol ConnectionOwner: AnyObject {
    /// TLS and the peer's SETTINGS are there.
    func connectionOpened(_ connection: HTTP2Connection)
    /// A request has come (servers). The stream waits for its owner.
    func connection(_ connection: HTTP2Connection, request: HeaderBlock, on stream: HTTP2Stream)
    /// The peer takes no more streams (clients).
    func connectionDraining(_ connection: HTTP2Connection)
    /// The connection is gone. Called once.
    func connectionClosed(_ connection: HTTP2Connection, why: String)
}

/// One HTTP/2 connection: a socket, an nghttp2 session and its streams.
///
/// Callbacks of nghttp2 and calls from above only queue and mark the connection dirty. Sending and
/// closing happen in `flush`, at the end of the loop's turn; receiving in `ready`.
final class HTTP2Connection: LoopSource, LoopFlushable, TimerTarget, @unchecked Sendable {
    // Touched only on its loop; others pass it on and no more.
    private enum State {
        /// Waiting for a client's connect, for TLS or for the peer's SETTINGS.
        case opening
        case open
        /// No new streams; closes when the last has ended.
        case draining
        /// All is said; waiting for the peer to close, so that the last words reach it.
        case lingering
        case closed
    }

    let loop: EventLoop
    let limits: ConnectionLimits
    let budget: BufferBudget
    let isServer: Bool
    private(set) var peer: Peer
    private let transport: Transport
    private var owner: (any ConnectionOwner)?
    private var session: OpaquePointer?
    private var slot: Int
    private var state = State.opening
    private var isConnecting: Bool
    private var isDirty = false
    private var watchesWriting: Bool
    private var output = OutputBuffer()
    private let outputBytesMax: Int
    private var streams: [HTTP2Stream?] = []
    private var freeSlots: [Int] = []
    private var incoming = HeaderBlock()
    private var closeReason: String?
    private var tick: Timer?
    private let openedAt: MonotonicTime
    private var lastActive: MonotonicTime
    private var pingSentAt: MonotonicTime?

    /// - Parameters:
    ///   - isConnecting: a client's socket whose connect has not ended
    init(
        transport: Transport, loop: EventLoop, isServer: Bool, isConnecting: Bool, peer: Peer,
        limits: ConnectionLimits, budget: BufferBudget, owner: any ConnectionOwner
    ) {
        self.transport = transport
        self.loop = loop
        self.isServer = isServer
        self.isConnecting = isConnecting
        self.peer = peer
        self.limits = limits
        self.budget = budget
        self.owner = owner
        (openedAt, lastActive) = (loop.now, loop.now)
        watchesWriting = isConnecting
        outputBytesMax =
            peer.isUnixSocket
            ? ConnectionLimits.unixOutputBytesMax : ConnectionLimits.outputBytesMax
        slot = -1
        slot = loop.add(
            self, descriptor: transport.descriptor,
            events: EPOLLIN.rawValue | (isConnecting ? EPOLLOUT.rawValue : 0))
        makeSession()
        scheduleTick()
        if !isConnecting { advanceHandshake() }
    }

    deinit { precondition(session == nil, "HTTP2Connection: dropped while open") }

    /// Handlers that have begun and not returned, which may be more than the streams that are open:
    /// a client that resets its calls at once does not get to start handlers without bound.
    var handlersRunning = 0

    /// Streams that have begun and not ended.
    var activeStreams: Int { streams.count - freeSlots.count }

    /// Whether a new stream may be opened (clients).
    var takesStreams: Bool { state == .open }

    // MARK: Session

    private func makeSession() {
        var options: OpaquePointer?
        nghttp2_option_new(&options)
        defer { nghttp2_option_del(options) }
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        // gRPC lets metadata begin and end with blanks; a reset would be the wrong answer to that.
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
        nghttp2_option_set_stream_reset_rate_limit(
            options, UInt64(limits.resetsBurstMax), UInt64(limits.resetsPerSecondMax))
        let me = Unmanaged.passUnretained(self).toOpaque()
        let callbacks = HTTP2Callbacks.shared.pointer
        let result =
            isServer
            ? nghttp2_session_server_new2(&session, callbacks, me, options)
            : nghttp2_session_client_new2(&session, callbacks, me, options)
        precondition(result == 0, "HTTP2Connection: no session (\(result))")
        submitSettings()
    }

    private func submitSettings() {
        func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
            nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(value))
        }
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, Int(ConnectionLimits.streamWindowBytes)),
            entry(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, Int(ConnectionLimits.frameBytesMax)),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headerBytesMax),
        ]
        if isServer {
            entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streamsMax))
        } else {
            entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        }
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, ConnectionLimits.connectionWindowBytes)
        markDirty()
    }

    // MARK: Receiving

    func ready(_ events: UInt32) {
        guard state != .closed else { return }
        if isConnecting {
            let error = Socket.pendingError(transport.descriptor)
            guard error == 0 else { return close("cannot connect: \(Socket.text(error))") }
            guard events & EPOLLOUT.rawValue != 0 else { return }
            isConnecting = false
        }
        if transport.isHandshaking { return advanceHandshake() }
        if events & ~EPOLLOUT.rawValue != 0 { readInput() }
        if events & EPOLLOUT.rawValue != 0 { markDirty() }
    }

    private func advanceHandshake() {
        switch transport.handshake() {
        case .moved:
            if transport.isEncrypted {
                peer = Peer(
                    address: peer.address, isUnixSocket: peer.isUnixSocket,
                    certificateSubject: transport.peerSubject)
                readInput()
            }
            markDirty()
        case .wouldBlockReading: watch(writing: false)
        case .wouldBlockWriting: watch(writing: true)
        case .ended: close("the peer closed during the TLS handshake")
        case .failed(let why): close(why)
        }
    }

    private func readInput() {
        // A few reads a turn, so that one busy peer does not hold up the others.
        for _ in 0..<4 where state != .closed {
            switch transport.read(into: loop.readBuffer) {
            case .moved(let count):
                if state == .lingering { continue }
                guard feed(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count])) else {
                    return
                }
                if count < loop.readBuffer.count, !transport.hasBufferedInput { return }
            case .wouldBlockReading: return
            case .wouldBlockWriting: return watch(writing: true)
            case .ended: return close("the peer closed the connection")
            case .failed(let why): return close(why)
            }
        }
        if transport.hasBufferedInput { loop.submit { self.readInput() } }
    }

    /// Gives the session what was read, a slice at a time, and sends in between: the peer works on
    /// the first answers while this side makes the next ones. False when the connection is over.
    private func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(HTTP2Connection.sliceBytes))
            rest = rest.dropFirst(slice.count)
            let result = nghttp2_session_mem_recv(
                session, slice.assumingMemoryBound(to: UInt8.self).baseAddress, slice.count)
            guard result >= 0 else {
                close("HTTP/2 error: \(String(cString: nghttp2_strerror(Int32(result))))")
                return false
            }
            guard !rest.isEmpty else { break }
            flush()
            guard state != .closed, closeReason == nil else { return false }
        }
        markDirty()
        return true
    }

    /// About sixteen small requests.
    private static let sliceBytes = 4 << 10

    func beginHeaders() {
        // A client's calls keep their blocks; a server's take what they need at once.
        if isServer { incoming.reset() } else { incoming = HeaderBlock() }
    }

    /// Takes a field. False closes the connection: nobody honest sends that much.
    func receiveHeader(_ name: HeaderBlock.Field, _ value: HeaderBlock.Field) -> Bool {
        incoming.take(name, value, bytesMax: limits.headerBytesMax)
    }

    func received(_ frame: nghttp2_frame, on stream: HTTP2Stream?) {
        lastActive = loop.now
        let endsStream = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch nghttp2_frame_type(UInt32(frame.hd.type)) {
        case NGHTTP2_HEADERS: receivedHeaders(frame, stream, endsStream: endsStream)
        case NGHTTP2_DATA: if endsStream { stream?.receiveEnd() }
        case NGHTTP2_SETTINGS:
            let isAck = frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
            if !isAck, state == .opening {
                state = .open
                owner?.connectionOpened(self)
            }
        case NGHTTP2_PING: pingSentAt = nil
        case NGHTTP2_GOAWAY:
            if !isServer {
                if state != .closed { state = .draining }
                owner?.connectionDraining(self)
            }
        default: break
        }
    }

    private func receivedHeaders(_ frame: nghttp2_frame, _ stream: HTTP2Stream?, endsStream: Bool) {
        let category = frame.headers.cat
        if isServer, category == NGHTTP2_HCAT_REQUEST {
            let stream = register(HTTP2Stream(connection: self, id: frame.hd.stream_id))
            nghttp2_session_set_stream_user_data(
                session, stream.id, Unmanaged.passUnretained(stream).toOpaque())
            owner?.connection(self, request: incoming, on: stream)
            if endsStream { stream.receiveEnd() }
        } else if let stream {
            if !isServer { stream.owner?.streamReceived(incoming, isTrailers: endsStream) }
            if endsStream { stream.receiveEnd() }
        }
    }

    func receivedData(_ data: UnsafeRawBufferPointer, on stream: HTTP2Stream?, id: Int32) {
        lastActive = loop.now
        nghttp2_session_consume_connection(session, data.count)
        if let stream {
            stream.receive(data)
        } else {
            nghttp2_session_consume_stream(session, id, data.count)
        }
    }

    func closed(_ stream: HTTP2Stream, code: UInt32) {
        release(stream)
        stream.close(HTTP2Connection.error(code, isServer: isServer))
        if state == .draining, activeStreams == 0 { markDirty() }
    }

    // MARK: Streams

    private func register(_ stream: HTTP2Stream) -> HTTP2Stream {
        if let free = freeSlots.popLast() {
            stream.slot = free
            streams[free] = stream
        } else {
            stream.slot = streams.count
            streams.append(stream)
        }
        return stream
    }

    private func release(_ stream: HTTP2Stream) {
        guard stream.slot >= 0 else { return }
        streams[stream.slot] = nil
        freeSlots.append(stream.slot)
        stream.slot = -1
    }

    /// Opens a stream with a request (clients). Nil when the connection takes no more.
    func openStream(_ fields: HeaderList) -> HTTP2Stream? {
        guard state == .open else { return nil }
        let stream = HTTP2Stream(connection: self, id: -1)
        let pointer = Unmanaged.passUnretained(stream).toOpaque()
        var provider = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: pointer), read_callback: provideData)
        let id = fields.withFields {
            nghttp2_submit_request(session, nil, $0.baseAddress, $0.count, &provider, pointer)
        }
        guard id > 0 else { return nil }
        stream.id = id
        markDirty()
        return register(stream)
    }

    /// Sends response headers with messages to follow.
    func submitResponse(_ stream: HTTP2Stream, _ fields: UnsafeBufferPointer<nghttp2_nv>) {
        var provider = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque()),
            read_callback: provideData)
        nghttp2_submit_response(session, stream.id, fields.baseAddress, fields.count, &provider)
        markDirty()
    }

    /// Sends headers that are the whole response.
    func submitTrailersOnly(stream id: Int32, _ fields: HeaderList) {
        _ = fields.withFields {
            nghttp2_submit_response(session, id, $0.baseAddress, $0.count, nil)
        }
        markDirty()
    }

    func submitTrailers(stream id: Int32, _ fields: HeaderList) {
        _ = fields.withFields { nghttp2_submit_trailer(session, id, $0.baseAddress, $0.count) }
    }

    func submitSuccessTrailers(stream id: Int32) {
        let fields = ConstantFields.successTrailers.fields
        nghttp2_submit_trailer(session, id, fields.baseAddress, fields.count)
    }

    /// A server's answer is complete: a client that goes on sending is told to stop.
    func sentEnd(of stream: HTTP2Stream) {
        if isServer, !stream.inputEnded { stream.discardInput() }
    }

    func reset(stream id: Int32, _ code: nghttp2_error_code) {
        guard session != nil else { return }
        nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, UInt32(code.rawValue))
        markDirty()
    }

    func consume(stream id: Int32, bytes: Int) {
        nghttp2_session_consume_stream(session, id, bytes)
        markDirty()
    }

    func resumeData(stream id: Int32) { nghttp2_session_resume_data(session, id) }

    // MARK: Sending

    func markDirty() {
        guard !isDirty, state != .closed else { return }
        isDirty = true
        loop.markDirty(self)
    }

    /// Takes a DATA frame into the output. False when there is no room for it now.
    func sendData(header: UnsafeRawBufferPointer, count: Int, of stream: HTTP2Stream) -> Bool {
        guard output.pendingBytes < outputBytesMax else { return false }
        output.append(header)
        stream.moveOutput(count, to: &output)
        return true
    }

    func flush() {
        isDirty = false
        guard state != .closed else { return }
        if let closeReason { return finishClose(closeReason) }
        guard !isConnecting, !transport.isHandshaking, state != .lingering else { return }
        while true {
            if output.isEmpty { fillOutput() }
            guard !output.isEmpty else { break }
            switch transport.write(&output) {
            case .moved:
                // Writers that have room again make the next message while the peer reads this one.
                if output.isEmpty, loop.hasJobs { return markDirty() }
            case .wouldBlockWriting: return watch(writing: true)
            case .wouldBlockReading: return watch(writing: false)
            case .ended: return finishClose("the peer closed the connection")
            case .failed(let why): return finishClose(why)
            }
        }
        watch(writing: false)
        closeIfDone()
    }

    private func fillOutput() {
        while output.pendingBytes < outputBytesMax {
            var pointer: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &pointer)
            guard count > 0 else {
                if count < 0 { closeReason = "HTTP/2 error: out of memory" }
                return
            }
            output.append(UnsafeRawBufferPointer(start: pointer, count: count))
        }
    }

    private func closeIfDone() {
        if let closeReason { return finishClose(closeReason) }
        let isOver =
            nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
        guard isOver || (state == .draining && activeStreams == 0 && hasSentGoaway) else { return }
        if state == .draining, isServer {
            linger()
        } else {
            finishClose("the connection has ended")
        }
    }

    /// Closing with bytes unread would make the system reset the connection, and the peer might
    /// lose the GOAWAY. So only this side ends, and the peer closes when it has read it.
    private func linger() {
        state = .lingering
        transport.shutdown()
        _ = loop.schedule(
            LingerEnd(self), at: loop.now.advanced(bySeconds: LingerEnd.patienceSeconds))
    }

    private func watch(writing: Bool) {
        guard writing != watchesWriting, state != .closed else { return }
        watchesWriting = writing
        loop.modify(
            slot: slot, descriptor: transport.descriptor,
            events: EPOLLIN.rawValue | (writing ? EPOLLOUT.rawValue : 0))
    }

    // MARK: End

    private var hasSentGoaway = false

    /// Takes no more streams and closes when the last has ended. A server first warns with a
    /// GOAWAY that names no stream, so that requests on their way are still served.
    func drain() {
        guard state == .open || state == .opening else { return }
        state = .draining
        if isServer {
            nghttp2_submit_shutdown_notice(session)
            _ = loop.schedule(
                DrainStep(self), at: loop.now.advanced(bySeconds: DrainStep.noticeSeconds))
        } else {
            hasSentGoaway = true
            nghttp2_session_terminate_session(session, UInt32(NGHTTP2_NO_ERROR.rawValue))
        }
        markDirty()
    }

    fileprivate func finishDrain() {
        guard state == .draining else { return }
        hasSentGoaway = true
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue),
            nghttp2_session_get_last_proc_stream_id(session), UInt32(NGHTTP2_NO_ERROR.rawValue),
            nil, 0)
        markDirty()
    }

    /// Tells the owners of all streams that time is up (servers).
    func abandonCalls() {
        for case let stream? in streams { (stream.owner as? ServerCall)?.abandon() }
    }

    /// Closes at the next flush.
    func close(_ why: String) {
        guard state != .closed, closeReason == nil else { return }
        closeReason = why
        isDirty = true
        loop.markDirty(self)
    }

    private func finishClose(_ why: String) {
        let hasSaidAll = isConnecting || transport.isHandshaking || state == .lingering
        state = .closed
        // A last try to send what is queued, such as the GOAWAY that says why.
        if !hasSaidAll {
            if output.isEmpty { fillOutput() }
            _ = transport.write(&output)
            transport.shutdown()
        }
        if let tick { loop.cancel(tick) }
        loop.remove(slot: slot, descriptor: transport.descriptor)
        // nghttp2 calls nothing back when a session is deleted.
        nghttp2_session_del(session)
        session = nil
        let error = RPCError(
            .unavailable, "the connection was lost: \(why)", reason: "CONNECTION_LOST")
        let open = streams
        streams = []
        freeSlots = []
        for stream in open { stream?.close(error) }
        let owner = self.owner
        self.owner = nil
        owner?.connectionClosed(self, why: why)
    }

    // MARK: Time

    private func scheduleTick() {
        let shortest = min(
            limits.handshakeSeconds, limits.keepaliveSeconds, limits.keepaliveTimeoutSeconds,
            limits.stalledMessageSeconds)
        let period = min(max(shortest / 4, 0.02), 5)
        tick = loop.schedule(self, at: loop.now.advanced(bySeconds: period))
    }

    func timerFired() {
        guard state != .closed, closeReason == nil else { return }
        let now = loop.now
        if state == .opening, now.seconds(since: openedAt) > limits.handshakeSeconds {
            return close("no HTTP/2 connection within \(limits.handshakeSeconds) s")
        }
        resetStalled(now)
        if let sent = pingSentAt {
            if lastActive > sent {
                pingSentAt = nil
            } else if now.seconds(since: sent) > limits.keepaliveTimeoutSeconds {
                return close("no sign of life for \(limits.keepaliveTimeoutSeconds) s")
            }
        } else if now.seconds(since: lastActive) > limits.keepaliveSeconds {
            pingSentAt = now
            nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
            markDirty()
        }
        scheduleTick()
    }

    private func resetStalled(_ now: MonotonicTime) {
        guard now.seconds(since: openedAt) > limits.stalledMessageSeconds else { return }
        let limit = MonotonicTime(
            nanoseconds: now.nanoseconds - UInt64(limits.stalledMessageSeconds * 1e9))
        for case let stream? in streams where stream.isStalled(since: limit) {
            reset(stream: stream.id, NGHTTP2_CANCEL)
        }
    }

    /// What a stream that ended with an HTTP/2 error code means to a call.
    private static func error(_ code: UInt32, isServer: Bool) -> RPCError {
        let name = String(cString: nghttp2_http2_strerror(code))
        switch nghttp2_error_code(code) {
        case NGHTTP2_CANCEL, NGHTTP2_NO_ERROR:
            return RPCError(.cancelled, "the peer ended the call", reason: "CALL_CANCELLED")
        case NGHTTP2_REFUSED_STREAM:
            return RPCError(.unavailable, "the peer refused the call", reason: "STREAM_REFUSED")
        case NGHTTP2_ENHANCE_YOUR_CALM:
            return RPCError(.resourceExhausted, "too many requests", reason: "ENHANCE_YOUR_CALM")
        default:
            return RPCError(
                isServer ? .cancelled : .internalError, "the stream was reset (\(name))",
                reason: "STREAM_RESET")
        }
    }
}

/// The second step of a server's drain: the GOAWAY that names the last stream.
private final class DrainStep: TimerTarget {
    static let noticeSeconds = 0.1
    private let connection: HTTP2Connection

    init(_ connection: HTTP2Connection) { self.connection = connection }

    func timerFired() { connection.finishDrain() }
}

/// The end of the patience with a peer that does not close.
private final class LingerEnd: TimerTarget {
    static let patienceSeconds = 1.0
    private let connection: HTTP2Connection

    init(_ connection: HTTP2Connection) { self.connection = connection }

    func timerFired() { connection.close("the connection has ended") }
}
