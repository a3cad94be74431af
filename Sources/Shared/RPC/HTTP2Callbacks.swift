import CNGHTTP2
import Glibc

/// The callbacks of nghttp2, made once: plain C functions that find the connection in `user_data`
/// and the stream in the stream's own user data. They never send, receive or close; they leave
/// that to the connection's next flush.
struct HTTP2Callbacks: @unchecked Sendable {
    // Filled once and never changed: nghttp2 only reads it.
    let pointer: OpaquePointer

    static let shared = HTTP2Callbacks()

    private init() {
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        guard let callbacks else { preconditionFailure("HTTP2Callbacks: no memory") }
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, onBeginHeaders)
        nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrame)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onData)
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onStreamClose)
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onFrameSent)
        nghttp2_session_callbacks_set_send_data_callback(callbacks, onSendData)
        nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, frameLength)
        pointer = callbacks
    }
}

/// Calls `body` with the connection, which is alive while nghttp2 runs: nghttp2 is only called from
/// its methods.
@inline(__always)
private func withConnection<R>(
    _ userData: UnsafeMutableRawPointer?, _ body: (HTTP2Connection) -> R
) -> R {
    guard let userData else { preconditionFailure("HTTP2Callbacks: no connection") }
    return Unmanaged<HTTP2Connection>.fromOpaque(userData)._withUnsafeGuaranteedRef(body)
}

private func stream(_ session: OpaquePointer?, _ id: Int32) -> HTTP2Stream? {
    nghttp2_session_get_stream_user_data(session, id).map {
        Unmanaged<HTTP2Stream>.fromOpaque($0).takeUnretainedValue()
    }
}

private let onBeginHeaders: nghttp2_on_begin_headers_callback = { _, _, userData in
    withConnection(userData) { $0.beginHeaders() }
    return 0
}

private let onHeader: nghttp2_on_header_callback = {
    _, _, name, nameCount, value, valueCount, _, userData in
    let isAcceptable = withConnection(userData) {
        $0.receiveHeader(
            UnsafeBufferPointer(start: name, count: nameCount),
            UnsafeBufferPointer(start: value, count: valueCount))
    }
    return isAcceptable ? 0 : Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
}

private let onFrame: nghttp2_on_frame_recv_callback = { session, frame, userData in
    guard let frame else { return 0 }
    let header = frame.pointee.hd
    withConnection(userData) {
        $0.received(frame.pointee, on: stream(session, header.stream_id))
    }
    return 0
}

private let onData: nghttp2_on_data_chunk_recv_callback = {
    session, _, id, data, count, userData in
    withConnection(userData) {
        $0.receivedData(
            UnsafeRawBufferPointer(start: data, count: count), on: stream(session, id), id: id)
    }
    return 0
}

private let onStreamClose: nghttp2_on_stream_close_callback = { session, id, code, userData in
    if let stream = stream(session, id) {
        withConnection(userData) { $0.closed(stream, code: code) }
    }
    return 0
}

private let onFrameSent: nghttp2_on_frame_send_callback = { session, frame, userData in
    guard let frame else { return 0 }
    let header = frame.pointee.hd
    // Only the end of a server's answer matters, which is in trailers.
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    if endsStream, header.type == UInt8(NGHTTP2_HEADERS.rawValue),
        let stream = stream(session, header.stream_id)
    {
        withConnection(userData) { $0.sentEnd(of: stream) }
    }
    return 0
}

private let onSendData: nghttp2_send_data_callback = {
    session, frame, header, count, source, userData in
    guard let header, let source, let pointer = source.pointee.ptr else {
        return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
    let hasRoom = withConnection(userData) {
        $0.sendData(
            header: UnsafeRawBufferPointer(start: header, count: 9), count: count, of: stream)
    }
    return hasRoom ? 0 : Int32(NGHTTP2_ERR_WOULDBLOCK.rawValue)
}

/// How long a DATA frame may be: what the peer takes, within reason. Without this nghttp2 keeps to
/// 16 KiB, and peers pay for each frame.
private let frameLength: nghttp2_data_source_read_length_callback = {
    _, _, _, sessionWindow, streamWindow, remoteMax, _ in
    min(
        Int(sessionWindow), Int(streamWindow), Int(remoteMax),
        ConnectionLimits.sentFrameBytesMax)
}

/// Where nghttp2 gets the messages of a stream.
let provideData: nghttp2_data_source_read_callback = { _, _, _, length, flags, source, _ in
    guard let flags, let pointer = source?.pointee.ptr else {
        return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
    return stream.provide(length, flags)
}
