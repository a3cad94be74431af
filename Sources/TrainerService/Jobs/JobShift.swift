import Base
import Messages
import Storage

/// One job from the moment it gets the device to the moment it gives it back.
struct JobShift {
    /// How a job leaves the device.
    struct End: Sendable {
        var state: JobState
        var problem: Problem?
        var author = ""
        var events: [JobEvent.Body] = []
        var result = WorkResult()
    }

    let job: Int64
    let store: TrainerStore
    let control: JobControl
    let startedAt: MonotonicTime
    /// Told by the work, but not on the disk yet because that failed.
    private var pending: [JobEvent.Body] = []
    private var wanted: JobRecord.Wanted?
    /// Seconds at work before this shift.
    private let secondsBefore: Double
    private var progressTold: (time: MonotonicTime, phase: String)?

    init(_ job: JobRecord, store: TrainerStore, control: JobControl, startedAt: MonotonicTime) {
        (self.job, self.store, self.control) = (job.id, store, control)
        (self.startedAt, secondsBefore) = (startedAt, job.progress.runningSeconds)
    }

    /// Seconds at work, queue and pauses not counted.
    private var runningSeconds: Double {
        secondsBefore + MonotonicTime.now().seconds(since: startedAt)
    }

    /// Runs a work to its end, or until somebody wants it to stop.
    mutating func run(_ work: any JobWork) async throws {
        var isValid = false
        while try await !stopped(work) {
            let turn: WorkTurn
            do {
                turn = isValid ? try await work.advance() : try await work.validate()
            } catch is JobControl.Interrupted {
                try await record(WorkTurn())
                continue
            }
            try await record(turn, moving: turn.isLast && !isValid ? .running : nil)
            if turn.isLast, isValid {
                return try await close(End(state: .succeeded, result: try await work.result()))
            }
            isValid = isValid || turn.isLast
        }
    }

    /// Ends the job if somebody wants that.
    private mutating func stopped(_ work: any JobWork) async throws -> Bool {
        if wanted == nil, control.wanted != nil { try await record(WorkTurn()) }
        guard let wanted else { return false }
        var end = End(
            state: wanted.wish == .cancel ? .cancelled : .paused, problem: wanted.problem,
            author: wanted.author)
        if wanted.wish == .pause { end.events = try await work.save() }
        try await close(end)
        return true
    }

    /// How an error ends the job. A full disk is nothing that the job did wrong: it can go on when
    /// there is room.
    func end(after error: any Error) -> End {
        let problem = Problem(error)
        let isPause = problem.reason == .diskFull
        return End(state: isPause ? .paused : .failed, problem: problem)
    }

    /// Writes what a piece of work told.
    ///
    /// - Parameter state: the state that begins with it; nil for none
    private mutating func record(_ turn: WorkTurn, moving state: JobState? = nil) async throws {
        pending += turn.events
        var progress = turn.progress
        progress?.runningSeconds = runningSeconds
        if let progress, isWorthTelling(progress) { pending.append(.progress(progress)) }
        let (store, job, events, now) = (store, job, pending, store.clock())
        wanted = try await store.writer.write { [progress] db in
            var record = try db.job(numbered: job)
            if let state { try record.move(to: state, at: now, db) }
            try record.tell(events, at: now, db)
            if let progress { record.progress = progress }
            try record.save(db)
            db.afterCommit { store.board.changed(job) }
            return record.wanted
        }
        pending = []
    }

    /// Watchers hear of each phase, and within a phase not more often than they can read.
    private mutating func isWorthTelling(_ progress: JobProgress) -> Bool {
        let now = MonotonicTime.now()
        if let told = progressTold, told.phase == progress.phase,
            now.seconds(since: told.time) < TrainerLimits.progressSeconds
        {
            return false
        }
        progressTold = (now, progress.phase)
        return true
    }

    /// Writes the end.
    mutating func close(_ end: End) async throws {
        let (store, job, now) = (store, job, store.clock())
        let events = pending + end.events
        let seconds = runningSeconds
        try await store.writer.write { db in
            var record = try db.job(numbered: job)
            try record.tell(events, at: now, db)
            record.progress.runningSeconds = seconds
            record.take(end.result)
            if JobLife.ended.contains(end.state) {
                record.stored.usage = record.usage(end.result)
            }
            for evaluation in end.result.evaluations {
                try db.insert(evaluation, of: record, at: now)
            }
            try record.move(to: end.state, because: end.problem, by: end.author, at: now, db)
            try record.save(db)
            db.afterCommit { store.board.changed(job) }
        }
        pending = []
    }
}

extension JobRecord {
    fileprivate mutating func take(_ result: WorkResult) {
        if !result.artifacts.isEmpty { stored.artifacts = result.artifacts }
        if !result.outputModel.isEmpty { stored.outputModel = result.outputModel }
        if let lineage = result.lineage { stored.lineage = lineage }
        stored.evaluations += result.evaluations.map(\.evaluation.name).filter {
            !stored.evaluations.contains($0)
        }
    }

    /// What the job took in all.
    fileprivate func usage(_ result: WorkResult) -> JobUsage {
        var usage = JobUsage()
        usage.peakHostBytes = UInt64(ProcessMemory.peakBytes)
        usage.peakDeviceBytes = result.peakDeviceBytes
        usage.runningSeconds = progress.runningSeconds
        usage.cost = usage.runningSeconds / 3_600 * (stored.spec?.pricePerHour ?? 0)
        usage.currency = stored.spec?.currency ?? ""
        if let estimate = stored.estimate, estimate.peakDeviceBytes > 0 {
            usage.estimateRatio = Double(usage.peakDeviceBytes) / Double(estimate.peakDeviceBytes)
        }
        usage.restartCount = UInt32(clamping: restartCount)
        return usage
    }
}
