import Base
import Messages
import RPC
import Resources
import Storage

/// `CancelJob`, `PauseJob`, `ResumeJob`.
extension Jobs {
    /// `GetJob`.
    func get(_ request: GetJobRequest) async throws -> TrainingJob {
        try await message(of: try JobName(request.name, field: "name"))
    }

    /// `CancelJob`: ends a job that waits at once, one at work after its piece.
    func cancel(_ request: CancelJobRequest, by caller: Principal) async throws -> TrainingJob {
        let name = try JobName(request.name, field: "name")
        let wanted = try Self.wanted(.cancel, request.reason, caller)
        let job = try await ask(wanted, of: name, etag: request.etag) { job in
            switch job.state {
            case .cancelled: .nothing
            case .succeeded, .failed: .refuse("it has ended already and cannot be cancelled")
            default: .move(.cancelled)
            }
        }
        try await settle(job, .cancel)
        return try await message(of: name)
    }

    /// `PauseJob`: a job at work writes a checkpoint first.
    func pause(_ request: PauseJobRequest, by caller: Principal) async throws -> TrainingJob {
        let name = try JobName(request.name, field: "name")
        let wanted = try Self.wanted(.pause, request.reason, caller)
        let job = try await ask(wanted, of: name, etag: request.etag) { job in
            switch job.state {
            case .paused: .nothing
            case .queued, .validating, .running: .move(.paused)
            default: .refuse("it has ended already and cannot be paused")
            }
        }
        try await settle(job, .pause)
        let message = try await message(of: name)
        guard message.state != .succeeded, message.state != .failed else {
            throw ResourceError.badState(name: "\(name)", why: "it ended before it could be paused")
        }
        return message
    }

    /// `ResumeJob`.
    func resume(_ request: ResumeJobRequest, by caller: Principal) async throws -> TrainingJob {
        let name = try JobName(request.name, field: "name")
        if !request.device.isEmpty, !shop.devices.contains(request.device) {
            throw TrainerError.deviceAbsent(seen: request.device, known: shop.devices)
        }
        let (store, now) = (store, store.clock())
        let message = try await store.writer.write { db in
            var job = try db.job(name)
            try job.checkETag(request.etag)
            switch job.state {
            case .queued, .validating, .running: return try db.message(of: job)
            case .failed where !job.hasBegun:
                throw ResourceError.badState(
                    name: "\(name)", why: "it failed before work began; create another job")
            case .paused, .failed: break
            default:
                throw ResourceError.badState(
                    name: "\(name)", why: "it has ended and cannot be resumed")
            }
            if !request.device.isEmpty, request.device != job.device {
                try job.tell([.warning(.deviceChanged(job, to: request.device))], at: now, db)
                job.device = request.device
            }
            try job.move(to: .queued, by: caller.name, at: now, db)
            try job.save(db)
            db.afterCommit { [id = job.id] in store.board.changed(id) }
            return try db.message(of: job)
        }
        look(message.spec?.device ?? "")
        return message
    }

    /// What a request means for a job in the state it is in.
    private enum Answer {
        case nothing
        case refuse(String)
        case move(JobState)
    }

    private static func wanted(
        _ wish: JobLife.Wish, _ reason: String, _ caller: Principal
    ) throws(ResourceError) -> JobRecord.Wanted {
        try FieldRules.size("reason", reason, ResourceLimits.reasonBytesMax)
        return JobRecord.Wanted(wish: wish, reason: reason, author: caller.name)
    }

    /// Writes the wish of a job at work, or moves one that waits.
    private func ask(
        _ wanted: JobRecord.Wanted, of name: JobName, etag: String,
        _ answer: @escaping @Sendable (JobRecord) -> Answer
    ) async throws -> JobRecord {
        let (store, now) = (store, store.clock())
        return try await store.writer.write { db in
            var job = try db.job(name)
            try job.checkETag(etag)
            switch answer(job) {
            case .nothing: return job
            case .refuse(let why): throw ResourceError.badState(name: "\(name)", why: why)
            case .move(let state) where !JobLife.atWork.contains(job.state):
                try job.move(
                    to: state, because: wanted.problem, by: wanted.author, at: now, db)
            case .move:
                // Who wants the end of a job does not want its pause.
                if job.wanted?.wish != .cancel { job.wanted = wanted }
            }
            try job.save(db)
            db.afterCommit { [id = job.id] in store.board.changed(id) }
            return job
        }
    }

    /// Waits until the job that was asked to stop has done so.
    private func settle(_ job: JobRecord, _ wish: JobLife.Wish) async throws {
        guard JobLife.atWork.contains(job.state) else { return }
        want(wish, of: job)
        try await wait(for: job.name) { !JobLife.atWork.contains($0) }
    }
}

extension JobRecord {
    /// Throws if an etag is given and is not the present one.
    fileprivate func checkETag(_ seen: String) throws(ResourceError) {
        guard seen.isEmpty || seen == etag else {
            throw .changed(name: "\(name)", seen: seen, present: etag)
        }
    }
}

extension WarningEvent {
    fileprivate static func deviceChanged(_ job: JobRecord, to device: String) -> WarningEvent {
        var warning = WarningEvent()
        warning.step = job.progress.step
        warning.problem = Problem(
            .unspecified, field: "device \(job.changeCount)", seen: device, allowed: job.device,
            "the job goes on on \(device) instead of \(job.device); results may differ in the last"
                + " bits")
        return warning
    }
}
