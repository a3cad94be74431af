import Base
import CLinux
import Glibc

/// Non-blocking stream sockets: the few system calls that listeners and connections need.
enum Socket {
    /// The error text of a failed system call.
    static func text(_ error: Int32) -> String { String(cString: strerror(error)) }

    /// Every numeric address of a host and port.
    static func resolve(host: String, port: Int, listening: Bool) throws(AddressError)
        -> [SocketAddress]
    {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            throw .unresolved(host, why: String(cString: gai_strerror(result)))
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next {
            found.append(SocketAddress(entry.pointee.ai_addr, entry.pointee.ai_addrlen))
            next = entry.pointee.ai_next
        }
        return found
    }

    /// Makes a socket for an address; -1 when the system refuses.
    static func make(for address: SocketAddress) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return socket(address.family, kind, 0)
    }

    /// Answers small messages at once instead of waiting to fill a packet.
    static func setNoDelay(_ descriptor: Int32) {
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The pending error of a socket, such as of a connect that has ended.
    static func pendingError(_ descriptor: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }

    /// Two connected sockets of this process.
    static func pair() -> (Int32, Int32)? {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
        return (ends[0], ends[1])
    }
}

/// A socket address of any family, by value.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private(set) var length: socklen_t

    init(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) {
        self.length = min(length, socklen_t(MemoryLayout<sockaddr_storage>.size))
        withUnsafeMutableBytes(of: &storage) { target in
            target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(self.length)))
        }
    }

    /// The address of a Unix socket; the path was checked by `Address`.
    init(unixPath path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8.prefix(Address.unixPathBytesMax))
        }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: &address) { target.copyMemory(from: $0) }
        }
    }

    /// The local address of a bound socket.
    init(boundTo descriptor: Int32) {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var size = length
        withPointer { getsockname(descriptor, $0, &size) }
        length = size
    }

    /// The other end of a connected socket.
    init(peerOf descriptor: Int32) {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var size = length
        withPointer { getpeername(descriptor, $0, &size) }
        length = size
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// Whether only this machine can reach the address.
    var isLoopback: Bool {
        guard family == AF_INET || family == AF_INET6 else { return true }
        let host = hostAndPort.host
        return host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.")
    }

    /// The numeric host and the port of a TCP address.
    var hostAndPort: (host: String, port: Int) {
        var host = [CChar](repeating: 0, count: 64)
        var port = [CChar](repeating: 0, count: 8)
        var copy = self
        let result = copy.withPointer { pointer in
            getnameinfo(
                pointer, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard result == 0 else { return ("", 0) }
        return (text(host), Int(text(port)) ?? 0)
    }

    private func text(_ characters: [CChar]) -> String {
        String(
            decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @discardableResult
    mutating func withPointer<R>(_ body: (UnsafeMutablePointer<sockaddr>) -> R) -> R {
        withUnsafeMutableBytes(of: &storage) { bytes in
            body(bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!)
        }
    }
}
