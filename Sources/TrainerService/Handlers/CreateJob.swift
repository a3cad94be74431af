import Base
import Messages
import RPC
import Resources
import Storage

extension Jobs {
    /// `CreateJob`.
    func create(_ request: CreateJobRequest, by caller: Principal) async throws -> TrainingJob {
        if let known = try await known(request) { return known }
        guard let asked = request.spec else { throw ResourceError.required(field: "spec") }
        try Self.check(request)
        let id = request.jobID.isEmpty ? ResourceID.new("j") : request.jobID
        let checked = try await shop.checked(asked)
        let draft = try Draft(request, id: id, checked, author: caller.name, now: store.clock())
        guard !request.validateOnly else {
            return try await store.writer.undone { db in try draft.insert(db) }
        }
        let made = try await store.writer.write { db in
            // The same request may have come twice at once: the second finds what the first made.
            if let known = try db.job(requestedBy: request) { return known }
            return try draft.insert(db)
        }
        look(checked.spec.device)
        return made
    }

    /// The job that the same request made before.
    private func known(_ request: CreateJobRequest) async throws -> TrainingJob? {
        guard !request.requestID.isEmpty, !request.validateOnly else { return nil }
        return try await store.reader.read { db in try db.job(requestedBy: request) }
    }

    private static func check(_ request: CreateJobRequest) throws(ResourceError) {
        guard request.jobID.isEmpty || ResourceID.isValid(request.jobID) else {
            throw .invalid(
                field: "job_id", seen: request.jobID, allowed: "[a-z][a-z0-9-]{0,62} is allowed")
        }
        try FieldRules.size(
            "display_name", request.displayName, ResourceLimits.displayNameBytesMax)
        try FieldRules.labels("labels", request.labels)
        if !request.requestID.isEmpty { _ = try RepeatedRequests.checked(request.requestID) }
    }
}

/// A job that is not in the store yet.
private struct Draft: Sendable {
    private let id, device, author: String
    private let message: TrainingJob
    private let requestID, requestSHA: SQLValue
    private let now: Int64

    init(
        _ request: CreateJobRequest, id: String, _ checked: CheckedJob, author: String, now: Int64
    ) throws {
        (self.id, self.author, self.now) = (id, author, now)
        device = checked.spec.device
        var message = TrainingJob()
        message.displayName = request.displayName
        (message.spec, message.labels) = (checked.spec, request.labels)
        (message.estimate, message.lineage) = (checked.estimate, checked.lineage)
        message.warnings = checked.notes
        self.message = message
        requestID =
            request.requestID.isEmpty
            ? .null : .text(try RepeatedRequests.checked(request.requestID))
        requestSHA = try RepeatedRequests.digest(of: request)
    }

    func insert(_ db: Connection) throws -> TrainingJob {
        let name = JobName(id: id)
        guard try db.jobs("WHERE name = ?", .text(id)).isEmpty else {
            throw ResourceError.exists(name: "\(name)")
        }
        let queued = SQLValue(Int(JobState.queued.rawValue))
        let waiting = try db.first("SELECT count(*) FROM jobs WHERE state = ?", queued) {
            $0.int(0)
        }
        guard (waiting ?? 0) < TrainerLimits.queuedMax else {
            throw StorageError.queueFull(waiting: waiting ?? 0, max: TrainerLimits.queuedMax)
        }
        try db.run(
            """
            INSERT INTO jobs(name, state, device, author, request_id, request_sha, message,
                progress, queued_ns, create_ns, update_ns)
            VALUES(?, ?, ?, ?, ?, ?, ?, x'', ?, ?, ?)
            """, .text(id), queued, .text(device), .text(author), requestID, requestSHA,
            .blob(try message.encoded()), .integer(now), .integer(now), .integer(now))
        var record = try db.job(name)
        var change = StateChange()
        (change.newState, change.author) = (.queued, author)
        try record.tell([.stateChange(change)], at: now, db)
        try record.save(db)
        return try db.message(of: record)
    }
}

extension Connection {
    /// The job that a request with this id made; throws if that request asked for something else.
    fileprivate func job(requestedBy request: CreateJobRequest) throws -> TrainingJob? {
        guard !request.requestID.isEmpty else { return nil }
        let id = try RepeatedRequests.checked(request.requestID)
        let sha = try RepeatedRequests.digest(of: request)
        let found = try first(
            "SELECT id, request_sha = ? FROM jobs WHERE request_id = ?", sha, .text(id)
        ) { ($0.int64(0), $0.bool(1)) }
        guard let (job, isSame) = found else { return nil }
        guard isSame else { throw ResourceError.requestIDReused(request.requestID) }
        return try message(of: try self.job(numbered: job))
    }
}
