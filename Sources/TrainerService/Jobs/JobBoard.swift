import Base

/// Tells those who wait for a job that something about it changed, or that some time has passed.
///
/// A signal says only that it is time to look: what changed is read from the store, where it is on
/// the disk before the signal is given.
final class JobBoard: Sendable {
    private struct Listeners: Sendable {
        var next = 0
        var byJob: [Int64: [Int: AsyncStream<Void>.Continuation]] = [:]
        var ticker: Task<Void, Never>?
    }

    let heartbeatSeconds: Double
    private let listeners = Lock(Listeners())

    init(heartbeatSeconds: Double) { self.heartbeatSeconds = heartbeatSeconds }

    deinit { listeners.with { $0.ticker?.cancel() } }

    /// Signals about a job from now on, at least one each heartbeat.
    func signals(of job: Int64) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = listeners.with { listeners in
            listeners.next += 1
            listeners.byJob[job, default: [:]][listeners.next] = continuation
            if listeners.ticker == nil { listeners.ticker = ticker() }
            return listeners.next
        }
        continuation.onTermination = { [weak self] _ in self?.remove(key, of: job) }
        return stream
    }

    /// Says that something about a job is on the disk.
    func changed(_ job: Int64) {
        let waiting = listeners.with { $0.byJob[job].map { Array($0.values) } ?? [] }
        for continuation in waiting { continuation.yield() }
    }

    private func remove(_ key: Int, of job: Int64) {
        let idle = listeners.with { listeners in
            listeners.byJob[job]?[key] = nil
            if listeners.byJob[job]?.isEmpty ?? false { listeners.byJob[job] = nil }
            guard listeners.byJob.isEmpty else { return nil as Task<Void, Never>? }
            defer { listeners.ticker = nil }
            return listeners.ticker
        }
        idle?.cancel()
    }

    private func ticker() -> Task<Void, Never> {
        Task { [weak self, heartbeatSeconds] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(heartbeatSeconds))
                self?.beat()
            }
        }
    }

    private func beat() {
        let waiting = listeners.with { $0.byJob.values.flatMap(\.values) }
        for continuation in waiting { continuation.yield() }
    }
}
