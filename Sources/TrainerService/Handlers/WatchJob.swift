import Base
import Messages
import RPC
import Resources
import Storage

/// `WatchJob`: the events of a job from a number on, past ones first.
///
/// Events are read from the store, never handed over from the work: so what a watcher has seen is
/// on the disk, and one that comes late reads the same as one that was there.
struct WatchJob: Sendable {
    private let store: TrainerStore
    private let request: WatchJobRequest
    private let job: Int64
    /// The newest event when the call began.
    private let pastEnd: UInt64
    private let steps: PastSteps

    init(_ request: WatchJobRequest, _ store: TrainerStore) async throws {
        let name = try JobName(request.name, field: "name")
        for kind in request.kinds where !kind.isKnown {
            throw ResourceError.invalid(
                field: "kinds", seen: "\(kind.rawValue)",
                allowed: JobEventKind.allKnown.map(\.plainName).joined(separator: ", "))
        }
        (self.store, self.request) = (store, request)
        let record = try await store.reader.read { db in try db.job(name) }
        guard request.afterEventNumber <= record.lastEvent else {
            throw ResourceError.invalid(
                field: "after_event_number", seen: "\(request.afterEventNumber)",
                allowed: "0 to \(record.lastEvent), the newest event, is allowed")
        }
        (job, pastEnd) = (record.id, record.lastEvent)
        let count = try await store.reader.read { db in
            try db.first(
                """
                SELECT count(*) FROM events
                WHERE job_id = ? AND kind = ? AND number > ? AND number <= ?
                """, .integer(record.id), SQLValue(Int(JobEventKind.step.rawValue)),
                SQLValue(bits: request.afterEventNumber), SQLValue(bits: record.lastEvent)
            ) { $0.int(0) }
        }
        steps = PastSteps(count: count ?? 0, max: Int(request.pastStepsMax))
    }

    func run(to responses: ResponseWriter<WatchJobResponse>) async throws {
        var signals = store.board.signals(of: job).makeAsyncIterator()
        var number = request.afterEventNumber
        var stepsSeen = 0
        var spokeAt = MonotonicTime.now()
        while true {
            let (events, isOver) = try await next(after: number)
            for event in events {
                number = event.number
                if event.isStep, number <= pastEnd {
                    stepsSeen += 1
                    guard steps.isChosen(stepsSeen) else { continue }
                }
                try await responses.write(
                    .with { $0.event = try JobEvent(decoding: event.message) })
                spokeAt = .now()
            }
            guard events.count < TrainerLimits.eventsPerRead else { continue }
            if isOver || request.pastOnly { return }
            guard await signals.next() != nil else { throw CancellationError() }
            if MonotonicTime.now().seconds(since: spokeAt) >= store.board.heartbeatSeconds {
                try await responses.write(WatchJobResponse())
                spokeAt = .now()
            }
        }
    }

    private struct StoredEvent: Sendable {
        let number: UInt64
        let isStep: Bool
        let message: Bytes
    }

    /// The next events, and whether the job is over and these are its last.
    private func next(after number: UInt64) async throws -> ([StoredEvent], Bool) {
        let kinds = request.kinds.contains(.unspecified) ? [] : request.kinds
        let chosen = kinds.map { "\($0.rawValue)" }.joined(separator: ", ")
        let condition = kinds.isEmpty ? "" : "AND kind IN (\(chosen))"
        let upTo = request.pastOnly ? pastEnd : UInt64(Int64.max)
        return try await store.reader.read { db in
            let events = try db.rows(
                """
                SELECT number, kind, message FROM events
                WHERE job_id = ? AND number > ? AND number <= ? \(condition)
                ORDER BY number LIMIT \(TrainerLimits.eventsPerRead)
                """, .integer(job), SQLValue(bits: number), SQLValue(bits: upTo)
            ) { row in
                StoredEvent(
                    number: row.bits(0), isStep: row.int(1) == Int(JobEventKind.step.rawValue),
                    message: row.blob(2))
            }
            let state = try db.job(numbered: job).state
            return (events, JobLife.ended.contains(state))
        }
    }
}

/// Which of the steps of the past a watcher hears of: so many, evenly chosen, the last among them.
struct PastSteps: Sendable {
    let count: Int
    /// 0: all.
    let max: Int

    /// - Parameter ordinal: from 1
    func isChosen(_ ordinal: Int) -> Bool {
        guard max > 0, count > max else { return true }
        return ordinal * max / count != (ordinal - 1) * max / count
    }
}
