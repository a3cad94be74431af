package import Base

/// Which side of a method streams.
package enum MethodKind: Sendable, Hashable {
    case unary
    case clientStream
    case serverStream
    case bidirectional
}

/// A method without its message types: for tables of all methods.
package struct MethodEntry: Sendable, Hashable {
    package let path: MethodPath
    package let kind: MethodKind
    /// The full name of the request message.
    package let request: String
    /// The full name of the response message.
    package let response: String

    init<Q, R>(_ method: UnaryMethod<Q, R>) {
        self.init(method.path, .unary, Q.messageName, R.messageName)
    }

    init<Q, R>(_ method: ClientStreamMethod<Q, R>) {
        self.init(method.path, .clientStream, Q.messageName, R.messageName)
    }

    init<Q, R>(_ method: ServerStreamMethod<Q, R>) {
        self.init(method.path, .serverStream, Q.messageName, R.messageName)
    }

    init<Q, R>(_ method: BidirectionalMethod<Q, R>) {
        self.init(method.path, .bidirectional, Q.messageName, R.messageName)
    }

    private init(_ path: MethodPath, _ kind: MethodKind, _ request: String, _ response: String) {
        (self.path, self.kind, self.request, self.response) = (path, kind, request, response)
    }
}

/// A service of the proto files: its name and its methods in their order.
package struct ServiceEntry: Sendable, Hashable {
    package let name: String
    package let methods: [MethodEntry]
}
