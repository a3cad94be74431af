/// The name of a remote procedure.
package struct MethodPath: Sendable, Hashable, CustomStringConvertible {
    /// The full service name, such as `fovea.dataset.v1.Datasets`.
    package let service: String
    /// The method's own name, such as `CreateDataset`.
    package let name: String
    /// Whether calling twice is the same as calling once, so that a client may retry: the
    /// `idempotency_level` of the proto file.
    package let isIdempotent: Bool

    package init(service: String, name: String, isIdempotent: Bool = false) {
        (self.service, self.name, self.isIdempotent) = (service, name, isIdempotent)
    }

    /// `/service/name`, as on the wire.
    package var description: String { "/\(service)/\(name)" }
}

/// One request, one response.
package struct UnaryMethod<Request: WireMessage, Response: WireMessage>: Sendable {
    /// Its name on the wire.
    package let path: MethodPath
    package init(_ path: MethodPath) { self.path = path }
}

/// Many requests, one response.
package struct ClientStreamMethod<Request: WireMessage, Response: WireMessage>: Sendable {
    /// Its name on the wire.
    package let path: MethodPath
    package init(_ path: MethodPath) { self.path = path }
}

/// One request, many responses.
package struct ServerStreamMethod<Request: WireMessage, Response: WireMessage>: Sendable {
    /// Its name on the wire.
    package let path: MethodPath
    package init(_ path: MethodPath) { self.path = path }
}

/// Many requests, many responses, in any order.
package struct BidirectionalMethod<Request: WireMessage, Response: WireMessage>: Sendable {
    /// Its name on the wire.
    package let path: MethodPath
    package init(_ path: MethodPath) { self.path = path }
}
