import Base

/// A thread for what takes longer than the loops of connections may be kept: reading tokenizers,
/// counting tokens, drawing intervals.
actor Desk {
    private let executor = ThreadExecutor(named: "desk")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Runs `body` there, up to where it waits for something else and from then on again.
    func run<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        try await body()
    }
}
