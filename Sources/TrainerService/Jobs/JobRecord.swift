import Base
import Messages
import Resources
import Storage

/// A job as the store has it.
struct JobRecord: Sendable {
    /// What a person asked of a job at work, until it is done.
    struct Wanted: Sendable, Hashable {
        let wish: JobLife.Wish
        let reason: String
        let author: String
    }

    let id: Int64
    let name: JobName
    private(set) var state: JobState
    var wanted: Wanted?
    var device: String
    let author: String
    /// All that is neither in a column nor computed.
    var stored: TrainingJob
    var progress: JobProgress
    private(set) var changeCount: Int
    private(set) var lastEvent: UInt64
    var restartCount: Int
    var isInterrupted: Bool
    var queuedNanoseconds: Int64
    var servedNanoseconds: Int64
    let createNanoseconds: Int64
    var startNanoseconds: Int64
    var endNanoseconds: Int64
    var updateNanoseconds: Int64

    static let columns = """
        id, name, state, wanted, device, author, message, progress, change_count, last_event,
        restart_count, is_interrupted, queued_ns, served_ns, create_ns, start_ns, end_ns, update_ns
        """

    init(_ row: Row) throws {
        id = row.int64(0)
        name = JobName(id: row.text(1))
        state = JobState(rawValue: Int32(row.int(2)))
        wanted = row.isNull(3) ? nil : Wanted(stored: row.blob(3))
        (device, author) = (row.text(4), row.text(5))
        stored = try TrainingJob(decoding: row.blob(6))
        progress = try JobProgress(decoding: row.blob(7))
        (changeCount, lastEvent) = (row.int(8), UInt64(row.int(9)))
        (restartCount, isInterrupted) = (row.int(10), row.bool(11))
        (queuedNanoseconds, servedNanoseconds) = (row.int64(12), row.int64(13))
        createNanoseconds = row.int64(14)
        (startNanoseconds, endNanoseconds) = (row.int64(15), row.int64(16))
        updateNanoseconds = row.int64(17)
    }

    var etag: String { "\(id)-\(changeCount)" }

    /// Whether the job was once past validation, so that there may be something to go on from.
    var hasBegun: Bool { startNanoseconds > 0 }

    /// The whole resource but for its place in the queue.
    var message: TrainingJob {
        var message = stored
        message.name = name.description
        message.state = state
        message.progress = progress
        message.lastEventNumber = lastEvent
        message.author = author
        message.etag = etag
        message.spec?.device = device
        message.createTime = .init(nanoseconds: createNanoseconds)
        message.updateTime = .init(nanoseconds: updateNanoseconds)
        if startNanoseconds > 0 { message.startTime = .init(nanoseconds: startNanoseconds) }
        if endNanoseconds > 0 { message.endTime = .init(nanoseconds: endNanoseconds) }
        return message
    }

    /// Moves to another state and tells so.
    ///
    /// - Parameters:
    ///   - problem: why, where there is a reason
    ///   - author: who asked for it; empty for the service itself
    mutating func move(
        to new: JobState, because problem: Problem? = nil, by author: String = "",
        at now: Int64, _ db: Connection
    ) throws {
        guard JobLife.mayMove(from: state, to: new) else {
            throw ResourceError.badState(
                name: "\(name)",
                why: "it is \(state.plainName) and cannot become \(new.plainName)")
        }
        var change = StateChange()
        (change.oldState, change.newState) = (state, new)
        (change.problem, change.author) = (problem, author)
        state = new
        changeCount += 1
        stored.problem = problem
        if !JobLife.atWork.contains(new) { wanted = nil }
        switch new {
        case .queued: (queuedNanoseconds, endNanoseconds) = (now, 0)
        case .validating: (servedNanoseconds, isInterrupted) = (now, false)
        case .running: if startNanoseconds == 0 { startNanoseconds = now }
        default: break
        }
        if JobLife.ended.contains(new) { endNanoseconds = now }
        try tell([.stateChange(change)], at: now, db)
    }

    /// Writes events, numbered on from the last one, and what they change about the job. Events
    /// that were told before are dropped.
    mutating func tell(_ bodies: [JobEvent.Body], at now: Int64, _ db: Connection) throws {
        for body in bodies {
            let mark = body.mark
            if let mark, try db.hasEvent(mark, of: id) { continue }
            lastEvent += 1
            var event = JobEvent()
            (event.job, event.eventNumber) = ("\(name)", lastEvent)
            event.eventTime = .init(nanoseconds: now)
            event.body = body
            try db.run(
                "INSERT INTO events VALUES(?, ?, ?, ?, ?)", .integer(id),
                SQLValue(bits: lastEvent), SQLValue(Int(body.kind.rawValue)), SQLValue(mark),
                .blob(try event.encoded()))
            take(body)
        }
        updateNanoseconds = now
    }

    /// What an event changes about the resource.
    private mutating func take(_ body: JobEvent.Body) {
        switch body {
        case .warning(let warning):
            if let problem = warning.problem { stored.warnings.append(problem) }
            let excess = stored.warnings.count - TrainerLimits.warningsMax
            if excess > 0 { stored.warnings.removeFirst(excess) }
        case .checkpoint(let checkpoint):
            stored.lastCheckpoint = checkpoint.name
            if checkpoint.best { stored.bestCheckpoint = checkpoint.name }
        case .evaluation(let evaluation):
            for measure in evaluation.measures { takeBest(measure) }
            if !evaluation.evaluation.isEmpty {
                stored.evaluations.append(evaluation.evaluation)
            }
        case .progress(let progress): self.progress = progress
        case .step, .stateChange: break
        }
    }

    /// Of each number the best value stays; of those without a better direction, the newest.
    private mutating func takeBest(_ measure: Measure) {
        guard let place = stored.measures.firstIndex(where: { $0.name == measure.name }) else {
            if stored.measures.count < TrainerLimits.measuresMax { stored.measures.append(measure) }
            return
        }
        let old = stored.measures[place].value
        let isBetter =
            switch measure.higherIsBetter {
            case true?: measure.value >= old
            case false?: measure.value <= old
            case nil: true
            }
        if isBetter { stored.measures[place] = measure }
    }

    /// Writes the record as it is now.
    func save(_ db: Connection) throws {
        try db.run(
            """
            UPDATE jobs SET state = ?, wanted = ?, device = ?, message = ?, progress = ?,
                change_count = ?, last_event = ?, restart_count = ?, is_interrupted = ?,
                queued_ns = ?, served_ns = ?, start_ns = ?, end_ns = ?, update_ns = ?
            WHERE id = ?
            """,
            SQLValue(Int(state.rawValue)), wanted?.value ?? .null, .text(device),
            .blob(try stored.encoded()), .blob(try progress.encoded()), SQLValue(changeCount),
            SQLValue(bits: lastEvent), SQLValue(restartCount), SQLValue(isInterrupted),
            .integer(queuedNanoseconds), .integer(servedNanoseconds), .integer(startNanoseconds),
            .integer(endNanoseconds), .integer(updateNanoseconds), .integer(id))
    }
}

extension JobRecord.Wanted {
    fileprivate var value: SQLValue {
        .blob(Bytes("\(wish.rawValue)\n\(author)\n\(reason)"))
    }

    fileprivate init?(stored: Bytes) {
        let lines = (stored.text ?? "").split(
            separator: "\n", maxSplits: 2, omittingEmptySubsequences: false)
        guard lines.count == 3, let number = UInt8(lines[0]),
            let wish = JobLife.Wish(rawValue: number)
        else { return nil }
        self.init(wish: wish, reason: String(lines[2]), author: String(lines[1]))
    }
}

extension JobEvent.Body {
    var kind: JobEventKind {
        switch self {
        case .stateChange: .state
        case .step: .step
        case .evaluation: .evaluation
        case .checkpoint: .checkpoint
        case .warning: .warning
        case .progress: .progress
        }
    }

    /// Names what the event is about where it can be told only once in a job.
    var mark: String? {
        switch self {
        case .step(let step): "step \(step.step)"
        case .evaluation(let evaluation): "evaluation \(evaluation.step) \(evaluation.evaluation)"
        case .checkpoint(let checkpoint): "checkpoint \(checkpoint.name)"
        case .warning(let warning):
            "warning \(warning.step) \(warning.problem?.reason.rawValue ?? 0)"
                + " \(warning.problem?.field ?? "")"
        case .stateChange, .progress: nil
        }
    }
}

extension Connection {
    /// The job of this name.
    func job(_ name: JobName) throws -> JobRecord {
        guard let found = try jobs("WHERE name = ?", .text(name.id)).first else {
            throw ResourceError.notFound(type: "fovea.trainer.v1.TrainingJob", name: "\(name)")
        }
        return found
    }

    /// The job with this number, which must be there.
    func job(numbered id: Int64) throws -> JobRecord {
        guard let found = try jobs("WHERE id = ?", .integer(id)).first else {
            throw StorageError.corrupt(what: "a job that has no row")
        }
        return found
    }

    /// The jobs that a condition in SQL chooses.
    func jobs(_ condition: String, _ values: SQLValue...) throws -> [JobRecord] {
        var found: [Result<JobRecord, any Error>] = []
        try each("SELECT \(JobRecord.columns) FROM jobs \(condition)", values) { row in
            found.append(Result { try JobRecord(row) })
            return true
        }
        return try found.map { try $0.get() }
    }

    fileprivate func hasEvent(_ mark: String, of job: Int64) throws(StorageError) -> Bool {
        try first(
            "SELECT 1 FROM events WHERE job_id = ? AND mark = ?", .integer(job), .text(mark)
        ) { $0.bool(0) } ?? false
    }

    /// The order in which jobs get a device.
    func queue(of device: String) throws(StorageError) -> JobQueue {
        let entries = try rows(
            "SELECT id, author, queued_ns, is_interrupted FROM jobs WHERE state = ? AND device = ?",
            SQLValue(Int(JobState.queued.rawValue)), .text(device)
        ) { row in
            JobQueue.Entry(
                job: row.int64(0), author: row.text(1), queuedNanoseconds: row.int64(2),
                isInterrupted: row.bool(3))
        }
        guard entries.count > 1 else { return JobQueue(entries, served: [:]) }
        let served = try rows(
            """
            SELECT author, max(served_ns) FROM jobs WHERE device = ? AND served_ns > 0
            GROUP BY author
            """, .text(device)
        ) { ($0.text(0), $0.int64(1)) }
        return JobQueue(entries, served: Dictionary(served) { $1 })
    }
}
