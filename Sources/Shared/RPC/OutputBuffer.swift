import Base
import CLinux
import Glibc

/// Bytes on their way to a socket: small pieces copied together, large ones by reference.
///
/// It is filled, then sent until empty, then filled again, so its memory is reused and bounded by
/// what is put in between.
struct OutputBuffer: ~Copyable {
    private enum Segment {
        case scratch(start: Int, count: Int)
        case shared(Bytes)
    }

    /// Pieces up to this size are copied; larger ones are sent from where they are.
    static let copyBytesMax = 2048

    private var scratch: UnsafeMutableRawPointer
    private var scratchCapacity = 16 << 10
    private var scratchCount = 0
    private var segments: [Segment] = []
    private var firstSegment = 0
    /// Bytes of the first segment already sent.
    private var sentOfFirst = 0
    /// Bytes not sent yet.
    private(set) var pendingBytes = 0

    init() {
        scratch = .allocate(byteCount: scratchCapacity, alignment: 16)
    }

    deinit { scratch.deallocate() }

    var isEmpty: Bool { pendingBytes == 0 }

    /// Copies bytes to the end.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        let start = scratchCount
        reserve(bytes.count)
        memcpy(scratch + start, base, bytes.count)
        scratchCount += bytes.count
        pendingBytes += bytes.count
        if case .scratch(let first, let count) = segments.last {
            segments[segments.count - 1] = .scratch(start: first, count: count + bytes.count)
        } else {
            segments.append(.scratch(start: start, count: bytes.count))
        }
    }

    /// Puts bytes at the end, by reference if they are many.
    mutating func append(_ bytes: Bytes) {
        guard bytes.count > OutputBuffer.copyBytesMax else {
            bytes.withUnsafeBytes { append($0) }
            return
        }
        segments.append(.shared(bytes))
        pendingBytes += bytes.count
    }

    private mutating func reserve(_ count: Int) {
        guard scratchCount + count > scratchCapacity else { return }
        while scratchCapacity < scratchCount + count { scratchCapacity *= 2 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: scratchCapacity, alignment: 16)
        memcpy(larger, scratch, scratchCount)
        scratch.deallocate()
        scratch = larger
    }

    /// Calls `body` with the next piece in one run of memory; nil when there is none.
    mutating func withNext<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R? {
        guard firstSegment < segments.count else { return nil }
        switch segments[firstSegment] {
        case .scratch(let start, let count):
            return body(
                UnsafeRawBufferPointer(
                    start: scratch + start + sentOfFirst, count: count - sentOfFirst))
        case .shared(let bytes):
            return bytes.withUnsafeBytes { all in
                body(UnsafeRawBufferPointer(rebasing: all[sentOfFirst...]))
            }
        }
    }

    /// Sends as much as the socket takes in one call. Returns what `sendmsg` returned.
    mutating func send(to descriptor: Int32) -> Int {
        let limit = min(segments.count - firstSegment, 64)
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: limit) { vectors in
            for index in 0..<limit {
                vectors.initializeElement(at: index, to: vector(firstSegment + index))
            }
            if sentOfFirst > 0, limit > 0 {
                vectors[0].iov_base += sentOfFirst
                vectors[0].iov_len -= sentOfFirst
            }
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = limit
            return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
        }
    }

    private func vector(_ index: Int) -> iovec {
        switch segments[index] {
        case .scratch(let start, let count):
            return iovec(iov_base: scratch + start, iov_len: count)
        case .shared(let bytes):
            // The segment keeps the bytes alive until they are sent.
            return bytes.withUnsafeBytes { all in
                iovec(iov_base: UnsafeMutableRawPointer(mutating: all.baseAddress), iov_len: all.count)
            }
        }
    }

    /// Forgets the first `count` bytes, which were sent.
    mutating func consume(_ count: Int) {
        pendingBytes -= count
        guard pendingBytes > 0 else {
            segments.removeAll(keepingCapacity: true)
            (firstSegment, sentOfFirst, scratchCount) = (0, 0, 0)
            shrinkIfLarge()
            return
        }
        var left = count + sentOfFirst
        while firstSegment < segments.count, left >= size(segments[firstSegment]) {
            left -= size(segments[firstSegment])
            segments[firstSegment] = .scratch(start: 0, count: 0)
            firstSegment += 1
        }
        sentOfFirst = left
    }

    private func size(_ segment: Segment) -> Int {
        switch segment {
        case .scratch(_, let count): count
        case .shared(let bytes): bytes.count
        }
    }

    private mutating func shrinkIfLarge() {
        guard scratchCapacity > 1 << 20 else { return }
        scratch.deallocate()
        scratchCapacity = 16 << 10
        scratch = .allocate(byteCount: scratchCapacity, alignment: 16)
    }
}
