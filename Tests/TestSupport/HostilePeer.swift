import Dispatch
import Glibc

/// Runs work that blocks on a thread of its own, not on one of the few that all tests share.
package func blocking<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: work()) }
    }
}

/// Bytes that an HTTP/2 peer might send, right or wrong, from a seed.
package struct HostileTraffic {
    private var random: SeededRandom

    /// The same seed gives the same traffic.
    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// What a client sends: sometimes noise, mostly a real conversation with some damage.
    package mutating func clientBytes() -> [UInt8] {
        if random.chance(1, in: 16) { return noise(upTo: 2000) }
        var bytes = HostileTraffic.preface + HostileTraffic.frame(type: 4, flags: 0, stream: 0, [])
        for index in 0..<Int.random(in: 1...6, using: &random) {
            bytes += clientFrame(stream: UInt32(2 * index + 1))
        }
        return damaged(bytes)
    }

    /// What a server sends back.
    package mutating func serverBytes() -> [UInt8] {
        if random.chance(1, in: 16) { return noise(upTo: 2000) }
        var bytes = HostileTraffic.frame(type: 4, flags: 0, stream: 0, [])
        let headers =
            [0x88] + HostileTraffic.literal("content-type", "application/grpc")
            + (random.chance(1, in: 3) ? HostileTraffic.literal("grpc-encoding", "gzip") : [])
        bytes += HostileTraffic.frame(type: 1, flags: 4, stream: 1, headers)
        bytes += HostileTraffic.frame(type: 0, flags: 0, stream: 1, message(upTo: 400))
        if random.chance(1, in: 2) { bytes += control() }
        bytes += HostileTraffic.frame(
            type: 1, flags: 5, stream: 1,
            HostileTraffic.literal("grpc-status", random.chance(1, in: 2) ? "0" : "x9"))
        return damaged(bytes)
    }

    private mutating func clientFrame(stream: UInt32) -> [UInt8] {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return control()
        case 1: return HostileTraffic.frame(type: 0, flags: 1, stream: stream, message(upTo: 900))
        case 2:
            return HostileTraffic.frame(type: 1, flags: 0, stream: stream, requestHeaders())
                + HostileTraffic.frame(type: 9, flags: 4, stream: stream, noise(upTo: 60))
        default:
            return HostileTraffic.frame(type: 1, flags: 4, stream: stream, requestHeaders())
                + HostileTraffic.frame(
                    type: 0, flags: random.chance(3, in: 4) ? 1 : 0, stream: stream,
                    message(upTo: 900))
        }
    }

    private mutating func requestHeaders() -> [UInt8] {
        let methods = ["Unary", "ClientStream", "ServerStream", "Bidirectional", "RoundTrip", "No"]
        let method = methods.randomElement(using: &random) ?? ""
        var block: [UInt8] = [0x83, 0x86]
        block += HostileTraffic.literal(":path", "/fovea.testing.v1.Echo/\(method)")
        block += HostileTraffic.literal(":authority", "x")
        block += HostileTraffic.literal("content-type", "application/grpc")
        block += HostileTraffic.literal("te", "trailers")
        if random.chance(1, in: 4) {
            block += HostileTraffic.literal(
                "grpc-timeout", ["1m", "9", "99999999H", "xS"].randomElement(using: &random) ?? "")
        }
        if random.chance(1, in: 4) { block += HostileTraffic.literal("grpc-encoding", "gzip") }
        if random.chance(1, in: 4) { block += HostileTraffic.literal("x-bin", "AAE=,!!,") }
        return block
    }

    private mutating func control() -> [UInt8] {
        let type = [2, 3, 4, 5, 6, 7, 8, 200].randomElement(using: &random) ?? 6
        let size = [0, 4, 5, 6, 8, 9].randomElement(using: &random) ?? 8
        return HostileTraffic.frame(
            type: UInt8(type), flags: UInt8.random(in: 0...1, using: &random),
            stream: UInt32.random(in: 0...3, using: &random), noise(exactly: size))
    }

    /// A gRPC message whose flag and length mostly are right.
    private mutating func message(upTo limit: Int) -> [UInt8] {
        let body = noise(upTo: limit)
        let flag: UInt8 = random.chance(1, in: 6) ? UInt8.random(in: 0...3, using: &random) : 0
        let length =
            random.chance(1, in: 6) ? Int.random(in: 0...1 << 31, using: &random) : body.count
        return [flag] + withUnsafeBytes(of: UInt32(length).bigEndian) { Array($0) } + body
    }

    private mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<[0, 0, 1, 2, 8].randomElement(using: &random)! where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes.insert(contentsOf: noise(upTo: 12), at: index)
            case 2: bytes.removeSubrange(index..<min(bytes.count, index + 7))
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }

    private mutating func noise(upTo limit: Int) -> [UInt8] {
        noise(exactly: Int.random(in: 0...limit, using: &random))
    }

    private mutating func noise(exactly count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// A frame of HTTP/2: length, type, flags, stream, payload.
    package static func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8])
        -> [UInt8]
    {
        let length = withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0.dropFirst()) }
        return length + [type, flags]
            + withUnsafeBytes(of: stream.bigEndian) { Array($0) } + payload
    }

    /// A header field without indexing or Huffman coding; names and values below 127 bytes.
    package static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0x00, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)]
            + Array(value.utf8)
    }
}

extension SeededRandom {
    /// True `count` times in `total`.
    package mutating func chance(_ count: Int, in total: Int) -> Bool {
        Int.random(in: 0..<total, using: &self) < count
    }
}

/// The far end of a connection, driven byte by byte.
package struct RawSocket: ~Copyable {
    private let descriptor: Int32

    /// Takes ownership of a connected socket.
    package init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    deinit { close(descriptor) }

    /// Sends all; gives up when the other side has closed.
    package func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Says that nothing more comes.
    package func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The types of the frames that come, up to the first of `last`; fewer if the other side closes
    /// or nothing comes for ten seconds.
    package func readFrameTypes(until last: UInt8) -> [UInt8] {
        var types: [UInt8] = []
        while types.last != last {
            guard let header = read(exactly: 9) else { return types }
            types.append(header[3])
            let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            guard read(exactly: length) != nil else { return types }
        }
        return types
    }

    private func read(exactly count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
        return got == count ? bytes : nil
    }

    /// Reads until the other side closes; nil if it does not within ten seconds.
    package func readToEnd() -> [UInt8]? {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count > 0 {
                all += piece.prefix(count)
            } else if count == 0 || errno == ECONNRESET {
                return all
            } else {
                return nil
            }
        }
    }
}
