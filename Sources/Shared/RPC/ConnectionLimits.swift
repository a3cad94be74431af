/// What a connection allows its peer, in both roles.
package struct ConnectionLimits: Sendable {
    /// The largest message, in bytes, before and after decompression.
    package var messageBytesMax = 64 << 20
    /// The largest header block, in bytes as HTTP/2 counts them.
    package var headerBytesMax = 16 << 10
    /// Calls at one time on one connection.
    package var streamsMax = 2048
    /// Messages and replies that wait in the buffers of one loop, in bytes.
    package var bufferBytesMax = 1 << 30
    /// How long to wait for TLS and the first HTTP/2 frames.
    package var handshakeSeconds = 10.0
    /// How long a connection may be silent before it is asked for a sign of life.
    package var keepaliveSeconds = 60.0
    /// How long to wait for that sign before the connection is closed.
    package var keepaliveTimeoutSeconds = 20.0
    /// How long a message may stop half-way.
    package var stalledMessageSeconds = 60.0
    /// Resets that a peer may send in a burst, and each second after: defence against rapid reset.
    package var resetsBurstMax = 10_000
    package var resetsPerSecondMax = 1_000

    package init() {}

    /// HTTP/2 flow control: bytes that a peer may send ahead on one stream.
    static let streamWindowBytes: Int32 = 4 << 20
    /// The same for all streams of a connection.
    static let connectionWindowBytes: Int32 = 16 << 20
    /// The largest frame accepted.
    static let frameBytesMax: UInt32 = 64 << 10
    /// The largest DATA frame sent, so that one stream does not hold up the others.
    static let sentFrameBytesMax = 64 << 10
    /// A stream's messages that wait for their reader before its window closes.
    static let queuedMessagesMax = 16
    static let queuedBytesMax = 1 << 20
    /// A writer waits above the first, and goes on below the second.
    static let writeHighWaterBytes = 1 << 20
    static let writeLowWaterBytes = 512 << 10
    /// Serialised frames that wait for the socket: what the kernel takes at once. A Unix socket
    /// holds 208 KiB; more than it takes at once only makes writer and reader wait in turn.
    static let outputBytesMax = 512 << 10
    static let unixOutputBytesMax = 128 << 10
}
