package import Base

/// Where a server listens or a client connects: `unix:PATH`, `tcp:HOST:PORT`, or `HOST:PORT`.
/// IPv6 addresses stand in brackets: `tcp:[::1]:7101`.
package enum Address: Sendable, Hashable {
    /// The path of a Unix socket.
    case unix(path: String)
    /// A name or number of a host, without brackets. Port 0 asks the system for a free one.
    case tcp(host: String, port: Int)

    /// The longest path of a Unix socket that Linux takes, in bytes.
    package static let unixPathBytesMax = 107

    package init(_ text: String) throws(AddressError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, !path.utf8.contains(0) else { throw .malformed(text) }
            guard path.utf8.count <= Address.unixPathBytesMax else {
                throw .pathTooLong(path, bytes: path.utf8.count)
            }
            self = .unix(path: path)
            return
        }
        let rest = text.hasPrefix("tcp:") ? text.dropFirst(4) : text[...]
        guard let colon = rest.lastIndex(of: ":"),
            let port = Int(rest[rest.index(after: colon)...]), (0...65535).contains(port)
        else { throw .malformed(text) }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .malformed(text)
        }
        guard !host.isEmpty, !host.contains(where: \.isWhitespace), !host.utf8.contains(0) else {
            throw .malformed(text)
        }
        self = .tcp(host: String(host), port: port)
    }
}

extension Address: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port):
            host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }
}

/// Why a text is not an address, or a server cannot listen there.
package enum AddressError: Failure, Hashable {
    case malformed(String)
    case pathTooLong(String, bytes: Int)
    case unresolved(String, why: String)
    case inUse(Address)
    /// A file that is no socket, or somebody else's socket, is in the way.
    case occupied(Address, why: String)
    /// The system refused: `why` is its word.
    case refused(Address, why: String)
    /// TCP beyond loopback without TLS.
    case insecure(Address)

    package var kind: FailureKind {
        switch self {
        case .malformed, .pathTooLong: .invalidInput
        default: .precondition
        }
    }

    package var reason: String { "BAD_ADDRESS" }

    package var message: String {
        switch self {
        case .malformed(let text):
            "'\(text)' is not an address; write unix:PATH, tcp:HOST:PORT or tcp:[IPV6]:PORT,"
                + " the port from 0 to 65535"
        case .pathTooLong(let path, let bytes):
            "the socket path '\(path)' has \(bytes) bytes; Linux allows"
                + " \(Address.unixPathBytesMax): choose a shorter folder"
        case .unresolved(let host, let why):
            "the host '\(host)' cannot be resolved (\(why)); use a known name or a number"
        case .inUse(let address):
            "\(address) is in use by another server; stop it or choose another address"
        case .occupied(let address, let why):
            "\(address) cannot be taken: \(why); remove it or choose another path"
        case .refused(let address, let why):
            "cannot listen on \(address): \(why)"
        case .insecure(let address):
            "\(address) is reachable from other machines without TLS; give a certificate and key,"
                + " or --insecure if the network is trusted"
        }
    }
}
