import Base

/// What each service of this process says of itself, and who waits to hear of changes.
package final class HealthBoard: Sendable {
    /// As `grpc.health.v1` has it. A service that nobody named is `unknownService`.
    package enum State: Sendable, Hashable {
        case serving
        case notServing
        case unknownService
    }

    /// More watchers than this at a time are turned away.
    package static let watchersMax = 1_024

    private struct Watcher {
        let service: String
        let states: AsyncStream<State>.Continuation
    }

    private struct Contents {
        var states: [String: State]
        var watchers: [Int: Watcher] = [:]
        var nextWatcher = 0
        var isShutDown = false
    }

    private let contents: Lock<Contents>

    /// - Parameter services: full names; the server as a whole (the empty name) is added
    package init(services: [String]) {
        let names = [""] + services
        contents = Lock(
            Contents(states: Dictionary(names.map { ($0, .notServing) }) { first, _ in first }))
    }

    /// The state of every service by name.
    package var states: [String: State] { contents.with { $0.states } }

    /// The state of one service.
    package subscript(service: String) -> State {
        contents.with { $0.states[service] ?? .unknownService }
    }

    /// Whether calls are welcome.
    package var isServing: Bool { self[""] == .serving }

    /// Gives every service the state, and tells the watchers.
    package func setAll(_ state: State) {
        contents.with { contents in
            guard !contents.isShutDown else { return }
            for name in contents.states.keys { contents.states[name] = state }
            for watcher in contents.watchers.values {
                watcher.states.yield(contents.states[watcher.service] ?? .unknownService)
            }
        }
    }

    /// Nothing serves from now on; each watcher hears it and then that there is no more to hear, so
    /// that no watcher keeps a server from ending.
    package func shutDown() {
        setAll(.notServing)
        let watchers = contents.with { contents in
            contents.isShutDown = true
            return contents.watchers.values.map(\.states)
        }
        // Outside the lock: finishing a stream calls back to remove its watcher.
        for watcher in watchers { watcher.finish() }
    }

    /// The state of a service now and after each change. Only the newest is kept for a slow
    /// watcher. nil if there are too many watchers.
    package func watch(_ service: String) -> AsyncStream<State>? {
        let (stream, continuation) = AsyncStream<State>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        let id: Int? = contents.with { contents in
            guard contents.watchers.count < HealthBoard.watchersMax else { return nil }
            continuation.yield(contents.states[service] ?? .unknownService)
            guard !contents.isShutDown else {
                continuation.finish()
                return 0
            }
            contents.nextWatcher += 1
            contents.watchers[contents.nextWatcher] = Watcher(
                service: service, states: continuation)
            return contents.nextWatcher
        }
        guard let id else { return nil }
        continuation.onTermination = { [contents] _ in
            contents.with { _ = $0.watchers.removeValue(forKey: id) }
        }
        return stream
    }
}
