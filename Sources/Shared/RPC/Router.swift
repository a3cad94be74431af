package import Base

/// What callers may do. Each role includes those before it.
package enum Role: String, Sendable, CaseIterable, Hashable, Comparable {
    /// Reads resources and watches.
    case reader
    /// Ingests, labels and adjudicates.
    case annotator
    /// Trains, evaluates, freezes versions.
    case trainer
    /// Loads adapters, sets routes and runs the services.
    case operator_ = "operator"
    /// Everything.
    case admin

    private var rank: Int { Role.allCases.firstIndex(of: self) ?? 0 }

    package static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }
}

/// Who is calling, once the credentials were checked.
package struct Principal: Sendable, Hashable {
    /// The name of the token or the certificate's subject; never a secret.
    package let name: String
    package let role: Role

    package init(name: String, role: Role) {
        (self.name, self.role) = (name, role)
    }

    /// Everybody, where a server has no tokens configured.
    package static let anyone = Principal(name: "", role: .admin)

    /// Whether this caller may do what needs `needed`.
    package func may(_ needed: Role) -> Bool { needed <= role }
}

/// Checks the credentials of a call, on the loop: it must not wait.
package protocol Authenticator: Sendable {
    /// - Parameters:
    ///   - authorization: the `authorization` header, nil where there is none
    ///   - peer: who is at the other end of the connection
    func authenticate(authorization: String?, peer: Peer) throws(RPCError) -> Principal
}

/// The other end of a connection.
package struct Peer: Sendable, Hashable {
    /// `unix:` or `tcp:HOST:PORT`.
    package let address: String
    package let isUnixSocket: Bool
    /// The subject of the verified client certificate; nil without mTLS.
    package let certificateSubject: String?

    package init(address: String, isUnixSocket: Bool, certificateSubject: String? = nil) {
        (self.address, self.isUnixSocket) = (address, isUnixSocket)
        self.certificateSubject = certificateSubject
    }
}

/// How many messages go each way.
package enum CallKind: String, Sendable, CaseIterable {
    case unary, clientStream, serverStream, bidirectional
}

/// A method that the router knows.
final class RoutedMethod: Sendable {
    enum Handler: Sendable {
        case unary(@Sendable (InboundMessage, ServerCall) async throws -> Bytes)
        case immediate(@Sendable (InboundMessage, ServerCall) throws -> Bytes)
        case stream(CallKind, @Sendable (ServerCall) async throws -> Void)
    }

    let path: MethodPath
    /// What a caller needs; nil where no credentials are asked for.
    let role: Role?
    /// Nil for a method that is known but not there yet.
    let handler: Handler?

    init(path: MethodPath, role: Role?, handler: Handler?) {
        (self.path, self.role, self.handler) = (path, role, handler)
    }

    var kind: CallKind {
        if case .stream(let kind, _) = handler { kind } else { .unary }
    }
}

/// Finds the handler of a path. Filled before the server starts, immutable after.
package struct Router: Sendable {
    private(set) var methods: [String: RoutedMethod] = [:]
    /// The full names of the services declared or registered.
    package private(set) var services: Set<String> = []

    package init() {}

    /// Makes `methods` known, so that those without a handler answer UNIMPLEMENTED by name.
    package mutating func declare(service: String, methods: [MethodPath]) {
        services.insert(service)
        for path in methods where self.methods[path.description] == nil {
            self.methods[path.description] = RoutedMethod(path: path, role: .reader, handler: nil)
        }
    }

    /// Registers a handler that may wait. It needs a caller with `role`; with nil, anybody may
    /// call. It starts on the connection's loop and returns to it.
    package mutating func register<Request, Response>(
        _ method: UnaryMethod<Request, Response>, needs role: Role?,
        _ body: @escaping @Sendable (Request, CallContext) async throws -> Response
    ) {
        add(
            method.path, role,
            .unary { message, call in
                let request: Request = try await call.decode(message)
                return try call.encode(try await body(request, CallContext(call)))
            })
    }

    /// Registers a handler that never waits and takes microseconds: no task is made for it.
    package mutating func registerImmediate<Request, Response>(
        _ method: UnaryMethod<Request, Response>, needs role: Role?,
        _ body: @escaping @Sendable (Request, CallContext) throws -> Response
    ) {
        add(
            method.path, role,
            .immediate { message, call in
                let request: Request = try call.decodeNow(message)
                return try call.encode(try body(request, CallContext(call)))
            })
    }

    package mutating func register<Request, Response>(
        _ method: ClientStreamMethod<Request, Response>, needs role: Role?,
        _ body: @escaping @Sendable (RequestReader<Request>, CallContext) async throws -> Response
    ) {
        add(
            method.path, role,
            .stream(.clientStream) { call in
                let response = try await body(RequestReader(call: call), CallContext(call))
                try await call.write(response)
            })
    }

    package mutating func register<Request, Response>(
        _ method: ServerStreamMethod<Request, Response>, needs role: Role?,
        _ body: @escaping @Sendable (Request, CallContext, ResponseWriter<Response>) async throws
            -> Void
    ) {
        add(
            method.path, role,
            .stream(.serverStream) { call in
                let request: Request = try await RequestReader(call: call).only()
                try await body(request, CallContext(call), ResponseWriter(call: call))
            })
    }

    package mutating func register<Request, Response>(
        _ method: BidirectionalMethod<Request, Response>, needs role: Role?,
        _ body: @escaping @Sendable (
            RequestReader<Request>, CallContext, ResponseWriter<Response>
        ) async throws -> Void
    ) {
        add(
            method.path, role,
            .stream(.bidirectional) { call in
                try await body(
                    RequestReader(call: call), CallContext(call), ResponseWriter(call: call))
            })
    }

    private mutating func add(_ path: MethodPath, _ role: Role?, _ handler: RoutedMethod.Handler) {
        precondition(
            methods[path.description]?.handler == nil, "Router: \(path) is registered twice")
        services.insert(path.service)
        methods[path.description] = RoutedMethod(path: path, role: role, handler: handler)
    }
}
