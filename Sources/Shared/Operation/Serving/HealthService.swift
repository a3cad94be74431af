import Base
import Messages
package import RPC

extension Router {
    /// Answers `grpc.health.v1.Health` from the board, without asking for credentials: probes and
    /// load balancers have none.
    package mutating func registerHealth(_ board: HealthBoard) {
        declare(service: Health.Service.name, methods: Health.Service.methods)
        registerImmediate(Health.Service.check, needs: nil) { request, _ in
            guard board[request.service] != .unknownService else {
                throw RPCError(
                    .notFound,
                    "no service '\(request.service)' here; List names those there are",
                    reason: "RESOURCE_NOT_FOUND")
            }
            return board[request.service].message
        }
        registerImmediate(Health.Service.list, needs: nil) { _, _ in
            var response = Health.HealthListResponse()
            response.statuses = board.states.mapValues(\.message)
            return response
        }
        register(Health.Service.watch, needs: nil) { request, _, responses in
            guard let states = board.watch(request.service) else {
                throw RPCError(
                    .resourceExhausted,
                    "\(HealthBoard.watchersMax) watchers are there, as many as are allowed;"
                        + " use Check",
                    reason: "QUOTA_EXCEEDED")
            }
            for await state in states { try await responses.write(state.message) }
            try Task.checkCancellation()
            throw RPCError(.unavailable, "this server is shutting down", reason: "DRAINING")
        }
    }
}

extension HealthBoard.State {
    fileprivate var message: Health.HealthCheckResponse {
        var response = Health.HealthCheckResponse()
        response.status =
            switch self {
            case .serving: .serving
            case .notServing: .notServing
            case .unknownService: .serviceUnknown
            }
        return response
    }
}
