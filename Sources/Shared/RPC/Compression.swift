import Base
import CZlib
import Dispatch

/// The gzip message encoding.
enum Gzip {
    /// Messages shorter than this are not worth compressing.
    static let worthwhileBytes = 1024

    /// Decompresses one gzip member of at most `bytesMax` bytes.
    static func decompress(_ input: Bytes, bytesMax: Int) throws(RPCError) -> Bytes {
        var stream = z_stream()
        // 15 bits of window, + 16 for the gzip format.
        let result = inflateInit2_(
            &stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { throw RPCError(.resourceExhausted, "no memory to decompress", reason: "NO_MEMORY") }
        defer { inflateEnd(&stream) }
        return try input.withUnsafeBytes { (source) throws(RPCError) in
            stream.next_in = UnsafeMutablePointer(
                mutating: source.assumingMemoryBound(to: UInt8.self).baseAddress)
            stream.avail_in = UInt32(source.count)
            return try inflateAll(&stream, sizeHint: input.count * 4, bytesMax: bytesMax)
        }
    }

    private static func inflateAll(_ stream: inout z_stream, sizeHint: Int, bytesMax: Int)
        throws(RPCError) -> Bytes
    {
        // One byte more than allowed, so that an output of exactly the maximum can end.
        var capacity = min(max(sizeHint, 4096), bytesMax + 1)
        var buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        var filled = 0
        while true {
            stream.next_out = buffer.assumingMemoryBound(to: UInt8.self) + filled
            stream.avail_out = UInt32(capacity - filled)
            let result = inflate(&stream, Z_NO_FLUSH)
            filled = capacity - Int(stream.avail_out)
            if result == Z_STREAM_END, filled <= bytesMax {
                return Bytes(adopting: buffer, count: filled)
            }
            if filled > bytesMax {
                buffer.deallocate()
                throw RPCError(FramingError.tooLarge(bytes: filled, bytesMax: bytesMax))
            }
            guard result == Z_OK, stream.avail_out == 0 else {
                buffer.deallocate()
                throw RPCError(
                    .internalError, "a message marked as gzip is not valid gzip",
                    reason: "BAD_COMPRESSION")
            }
            let larger = min(capacity * 2, bytesMax + 1)
            let next = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            next.copyMemory(from: buffer, byteCount: filled)
            buffer.deallocate()
            (buffer, capacity) = (next, larger)
        }
    }

    /// Compresses bytes into a framed message: prefix and gzip member. Nil if zlib refuses.
    static func compressFramed(_ payload: UnsafeRawBufferPointer) -> Bytes? {
        var stream = z_stream()
        let result = deflateInit2_(
            &stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let prefix = MessageAssembler.prefixBytes
        let bound = Int(deflateBound(&stream, UInt(payload.count)))
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: prefix + bound, alignment: 16)
        stream.next_in = UnsafeMutablePointer(
            mutating: payload.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(payload.count)
        stream.next_out = (buffer + prefix).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(bound)
        guard deflate(&stream, Z_FINISH) == Z_STREAM_END else {
            buffer.deallocate()
            return nil
        }
        let count = bound - Int(stream.avail_out)
        MessageCoding.writePrefix(buffer, count: count, isCompressed: true)
        return Bytes(adopting: buffer, count: prefix + count)
    }
}

/// Between messages as values and messages as bytes on a stream.
enum MessageCoding {
    /// Decoding more bytes than this leaves the loop, so that other calls are not held up.
    static let offloadBytes = 512 << 10

    private static let queue = DispatchQueue(label: "fovea.rpc.decode", attributes: .concurrent)

    /// Writes a message with its prefix.
    ///
    /// - Parameter compress: gzip, if the message is large enough to gain
    static func encode(_ message: some WireMessage, compress: Bool, bytesMax: Int)
        throws(RPCError) -> Bytes
    {
        let prefix = MessageAssembler.prefixBytes
        var target: (base: UnsafeMutableRawPointer, count: Int)?
        do throws(WireError) {
            try message.encode { (count) throws(WireError) in
                let base = UnsafeMutableRawPointer.allocate(
                    byteCount: prefix + count, alignment: 16)
                target = (base, count)
                return base + prefix
            }
        } catch {
            target?.base.deallocate()
            throw RPCError(error)
        }
        guard let (base, count) = target else { return Bytes([0, 0, 0, 0, 0]) }
        writePrefix(base, count: count, isCompressed: false)
        let framed = Bytes(adopting: base, count: prefix + count)
        guard count <= bytesMax else {
            throw RPCError(FramingError.tooLarge(bytes: count, bytesMax: bytesMax))
        }
        guard compress, count >= Gzip.worthwhileBytes else { return framed }
        let smaller = framed.withUnsafeBytes { all in
            Gzip.compressFramed(UnsafeRawBufferPointer(rebasing: all[prefix...]))
        }
        return smaller ?? framed
    }

    static func writePrefix(_ base: UnsafeMutableRawPointer, count: Int, isCompressed: Bool) {
        base.storeBytes(of: isCompressed ? 1 : 0, as: UInt8.self)
        (base + 1).storeBytes(of: UInt32(count).bigEndian, as: UInt32.self)
    }

    /// Reads a message where the caller is.
    static func decodeNow<Message: WireMessage>(_ message: InboundMessage, bytesMax: Int)
        throws(RPCError) -> Message
    {
        let bytes =
            message.isCompressed
            ? try Gzip.decompress(message.bytes, bytesMax: bytesMax) : message.bytes
        do throws(WireError) {
            return try Message(decoding: bytes)
        } catch {
            throw RPCError(error)
        }
    }

    /// Reads a message; large and compressed ones on another thread.
    static func decode<Message: WireMessage>(_ message: InboundMessage, bytesMax: Int)
        async throws(RPCError) -> Message
    {
        guard message.isCompressed || message.bytes.count > offloadBytes else {
            return try decodeNow(message, bytesMax: bytesMax)
        }
        let result: Result<Message, RPCError> = await withUnsafeContinuation { continuation in
            queue.async {
                do throws(RPCError) {
                    continuation.resume(
                        returning: .success(try decodeNow(message, bytesMax: bytesMax)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
