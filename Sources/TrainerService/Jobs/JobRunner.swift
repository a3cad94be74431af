import Base
import Foundation
import Messages
import Resources
import Storage

/// Runs the jobs of one device, one after another, on a thread of its own.
actor JobRunner {
    private let device: String
    private let store: TrainerStore
    private let shop: any WorkShop
    private let log: Log?
    private let executor: ThreadExecutor
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation
    /// The job at work, for those who want it to stop.
    private nonisolated let current = Lock<(job: Int64, control: JobControl)?>(nil)

    init(device: String, store: TrainerStore, shop: any WorkShop, log: Log?) {
        (self.device, self.store, self.shop, self.log) = (device, store, shop, log)
        executor = ThreadExecutor(named: "job-\(device.prefix(10))")
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Says that there may be a job to run.
    nonisolated func look() { waker.yield() }

    /// Ends the loop once the piece at work is done; the job goes on when the service starts again.
    nonisolated func stop() { waker.finish() }

    /// Tells the job at work that somebody wants it to stop.
    nonisolated func want(_ wish: JobLife.Wish, of job: Int64) {
        let control = current.with { $0?.job == job ? $0?.control : nil }
        control?.want(wish)
    }

    /// Runs jobs until `stop`.
    func run() async {
        await untilStored { try await self.store.requeueInterrupted(on: self.device) }
        var signals = wake.makeAsyncIterator()
        repeat {
            while let job = await next() { await run(job) }
        } while await signals.next() != nil
    }

    private func next() async -> JobRecord? {
        var taken: JobRecord?
        await untilStored { taken = try await self.store.takeNext(on: self.device) }
        return taken
    }

    private func run(_ job: JobRecord) async {
        let control = JobControl()
        current.with { $0 = (job.id, control) }
        defer { current.with { $0 = nil } }
        var shift = JobShift(job, store: store, control: control, startedAt: .now())
        do {
            let order = JobOrder(
                id: job.id, name: job.name, spec: job.message.spec ?? JobSpec(),
                folder: store.folder(of: job.name), hasBegun: job.hasBegun, control: control)
            try FileManager.default.createDirectory(
                atPath: order.folder, withIntermediateDirectories: true)
            let work = try await shop.work(for: order)
            try await shift.run(work)
        } catch {
            let end = shift.end(after: error)
            if end.state == .failed {
                log?.warning(
                    "job failed", Log.Field("job", .text("\(job.name)")),
                    Log.Field("reason", .text(end.problem?.reason.plainName ?? "")))
            }
            await untilStored { try await shift.close(end) }
        }
    }

    /// Tries until the store takes it: a disk that is full now may have room later, and what
    /// happened must not be lost.
    private func untilStored(_ body: () async throws -> Void) async {
        while true {
            do { return try await body() } catch {
                log?.error(
                    "the job store cannot be written", Log.Field("error", .text("\(error)")))
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }
}

extension TrainerStore {
    /// Puts jobs back into the queue that were at work when the service ended, ahead of others, or
    /// gives them the end that somebody had asked for.
    func requeueInterrupted(on device: String) async throws {
        let now = clock()
        let board = board
        try await writer.write { db in
            let states = JobLife.atWork.map { "\($0.rawValue)" }.joined(separator: ", ")
            let found = try db.jobs(
                "WHERE state IN (\(states)) AND device = ? ORDER BY id", .text(device))
            for var job in found {
                if let wanted = job.wanted, wanted.wish == .cancel {
                    try job.move(
                        to: .cancelled, because: wanted.problem, by: wanted.author, at: now, db)
                } else if let wanted = job.wanted {
                    try job.move(
                        to: .paused, because: wanted.problem, by: wanted.author, at: now, db)
                } else {
                    job.isInterrupted = true
                    job.restartCount += 1
                    try job.move(to: .queued, at: now, db)
                }
                try job.save(db)
                db.afterCommit { [id = job.id] in board.changed(id) }
            }
        }
    }

    /// Gives the device to the job whose turn it is; nil if none waits.
    func takeNext(on device: String) async throws -> JobRecord? {
        let now = clock()
        let board = board
        return try await writer.write { db in
            guard let id = try db.queue(of: device).order.first else { return nil }
            var job = try db.job(numbered: id)
            try job.move(to: .validating, at: now, db)
            try job.save(db)
            db.afterCommit { board.changed(id) }
            return job
        }
    }
}

extension JobRecord.Wanted {
    /// What people gave as their reason; nil if they gave none.
    var problem: Problem? {
        reason.isEmpty ? nil : Problem(.unspecified, reason)
    }
}
