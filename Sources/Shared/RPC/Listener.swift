import Base
import CLinux
import Glibc

/// A listening socket and, for a Unix socket, the file that names it.
final class Listener {
    let descriptor: Int32
    /// The address that clients connect to, with the port that the system chose.
    let address: Address
    private let file: (path: String, inode: UInt64)?

    private init(descriptor: Int32, address: Address, file: (path: String, inode: UInt64)?) {
        (self.descriptor, self.address, self.file) = (descriptor, address, file)
    }

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - allowsRemote: whether a TCP address beyond loopback may be served
    ///   - socketMode: permissions of a Unix socket's file
    static func open(_ address: Address, allowsRemote: Bool, socketMode: UInt32)
        throws(AddressError) -> Listener
    {
        switch address {
        case .unix(let path): try openUnix(path, socketMode: socketMode)
        case .tcp(let host, let port):
            try openTCP(address, host: host, port: port, allowsRemote: allowsRemote)
        }
    }

    /// Stops listening and removes the socket's file, if it is still this listener's.
    func close() {
        Glibc.close(descriptor)
        guard let file else { return }
        var state = stat()
        if lstat(file.path, &state) == 0, UInt64(state.st_ino) == file.inode { unlink(file.path) }
    }

    private static func openTCP(
        _ address: Address, host: String, port: Int, allowsRemote: Bool
    ) throws(AddressError) -> Listener {
        var lastError: Int32 = 0
        for candidate in try Socket.resolve(host: host, port: port, listening: true) {
            guard allowsRemote || candidate.isLoopback else { throw .insecure(address) }
            let descriptor = Socket.make(for: candidate)
            guard descriptor >= 0 else {
                lastError = errno
                continue
            }
            Socket.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            if candidate.family == AF_INET6 {
                Socket.setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            }
            var candidate = candidate
            let length = candidate.length
            if candidate.withPointer({ bind(descriptor, $0, length) }) == 0,
                listen(descriptor, 4096) == 0
            {
                let bound = SocketAddress(boundTo: descriptor).hostAndPort
                return Listener(
                    descriptor: descriptor, address: .tcp(host: bound.host, port: bound.port),
                    file: nil)
            }
            lastError = errno
            Glibc.close(descriptor)
        }
        if lastError == EADDRINUSE { throw .inUse(address) }
        throw .refused(address, why: Socket.text(lastError))
    }

    private static func openUnix(_ path: String, socketMode: UInt32) throws(AddressError)
        -> Listener
    {
        let address = Address.unix(path: path)
        try removeStaleSocket(path)
        var target = SocketAddress(unixPath: path)
        let descriptor = Socket.make(for: target)
        guard descriptor >= 0 else { throw .refused(address, why: Socket.text(errno)) }
        let length = target.length
        // The file appears with no permissions for others until its mode is set.
        let mask = umask(0o177)
        let bound = target.withPointer { bind(descriptor, $0, length) }
        let bindError = errno
        umask(mask)
        var state = stat()
        guard bound == 0, chmod(path, socketMode) == 0, listen(descriptor, 4096) == 0,
            lstat(path, &state) == 0
        else {
            let error = bound == 0 ? errno : bindError
            Glibc.close(descriptor)
            if bound == 0 { unlink(path) }
            if error == EADDRINUSE { throw .inUse(address) }
            throw .refused(address, why: Socket.text(error))
        }
        return Listener(descriptor: descriptor, address: address, file: (path, UInt64(state.st_ino)))
    }

    /// Removes a socket that nobody serves any more, and nothing else.
    private static func removeStaleSocket(_ path: String) throws(AddressError) {
        let address = Address.unix(path: path)
        var state = stat()
        guard lstat(path, &state) == 0 else { return }
        guard state.st_mode & S_IFMT == S_IFSOCK else {
            throw .occupied(address, why: "a file that is no socket has that name")
        }
        guard state.st_uid == geteuid() || geteuid() == 0 else {
            throw .occupied(address, why: "the socket belongs to user \(state.st_uid)")
        }
        var target = SocketAddress(unixPath: path)
        let probe = Socket.make(for: target)
        guard probe >= 0 else { throw .refused(address, why: Socket.text(errno)) }
        defer { Glibc.close(probe) }
        let length = target.length
        if target.withPointer({ connect(probe, $0, length) }) == 0 || errno == EAGAIN {
            throw .inUse(address)
        }
        guard errno == ECONNREFUSED else {
            throw .occupied(address, why: Socket.text(errno))
        }
        unlink(path)
    }
}
