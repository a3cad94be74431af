import Base
import Messages
import Quality
import RPC
import Resources
import Storage

extension Catalogue {
    /// `SubmitAnnotation`: the vote and what follows from it are one change.
    func submit(
        _ request: SubmitAnnotationRequest, by caller: Principal
    ) async throws -> SubmitAnnotationResponse {
        let task = try NumberedName(request.task, .task, field: "task")
        guard let vote = request.vote else { throw DatasetError.required(field: "vote") }
        try VoteRules.check(vote)
        let (cache, now) = (answerRules, clock())
        // Checked before the turn to write comes, so that a long answer keeps nobody waiting.
        let checked = try await reader.read { db in
            try db.check(vote, for: task, cache)
        }
        return try await once(request.requestID, request) { db in
            let dataset = try db.dataset(DatasetName(id: task.dataset))
            let lease = try db.lease(task, of: dataset)
            guard lease.isFor(request.lease, by: caller) else {
                throw AnnotationError.leaseExpired(task: "\(task)")
            }
            if dataset.changeCount != checked { try db.check(vote, for: task, cache) }
            try VoteRules.check(
                vote.regions, in: lease.basis, field: "vote")
            return try db.cast(
                vote, on: lease,
                Ballot(
                    task: task, dataset: dataset, supersedes: request.supersede, now: now))
        }
    }
}

/// Where and how a vote is cast.
private struct Ballot {
    let task: NumberedName
    let dataset: DatasetRecord
    let supersedes: Bool
    let now: Int64
}

/// A row given to a person.
private struct Lease {
    let example: Int64
    /// What the person was given, and what the row is now.
    let given, present: Int64
    let annotator: String
    let token: String
    let guidelines: String
    let expireNanoseconds: Int64
    let rowID: String
    let isGold: Bool
    /// The row as it came in.
    let basis: Example
    /// The row as it is now.
    let answered: Example

    func isFor(_ token: String, by caller: Principal) -> Bool {
        token == self.token && given == present
            && (caller.name == annotator || caller.may(.operator_))
    }
}

extension Connection {
    /// Holds an answer against the rules; returns the change of the dataset they are of.
    @discardableResult
    fileprivate func check(
        _ vote: Vote, for task: NumberedName, _ cache: AnswerRulesCache
    ) throws -> Int {
        let dataset = try dataset(DatasetName(id: task.dataset))
        if !vote.skipped {
            try cache.rules(of: dataset, self).check(vote.answer, field: "vote.answer")
        }
        return dataset.changeCount
    }

    fileprivate func lease(_ task: NumberedName, of dataset: DatasetRecord) throws -> Lease {
        var found: Result<Lease, any Error>?
        try each(
            """
            SELECT leases.example_id, leases.basis_id, examples.basis_id, annotator, token,
                guidelines, expire_ns, row_id, gold, came.payload, present.payload
            FROM leases JOIN examples ON examples.id = leases.example_id
            JOIN revisions AS came ON came.id = examples.basis_id
            JOIN revisions AS present ON present.id = examples.revision_id
            WHERE leases.id = ? AND leases.dataset_id = ?
            """, [.integer(task.number), .integer(dataset.id)]
        ) { row in
            found = Result {
                Lease(
                    example: row.int64(0), given: row.int64(1), present: row.int64(2),
                    annotator: row.text(3), token: row.text(4), guidelines: row.text(5),
                    expireNanoseconds: row.int64(6), rowID: row.text(7), isGold: row.bool(8),
                    basis: try Example(decoding: row.blob(9)),
                    answered: try Example(decoding: row.blob(10)))
            }
            return false
        }
        guard let found else {
            throw DatasetError.notFound(
                type: "fovea.dataset.v1.AnnotationTask", name: "\(task)")
        }
        return try found.get()
    }

    fileprivate func cast(
        _ vote: Vote, on lease: Lease, _ ballot: Ballot
    ) throws -> SubmitAnnotationResponse {
        let name = ExampleName(dataset: ballot.dataset.name.id, rowID: lease.rowID)
        let earlier = try standingVotes(on: lease.example, named: name, basis: lease.present)
            .first { $0.annotator == lease.annotator }
        if earlier == nil, lease.expireNanoseconds <= ballot.now {
            throw AnnotationError.leaseExpired(task: "\(ballot.task)")
        }
        guard earlier == nil || ballot.supersedes else {
            throw AnnotationError.alreadyVoted(
                task: "\(ballot.task)", annotator: lease.annotator)
        }
        var stored = vote
        (stored.name, stored.example) = ("", "")
        (stored.annotator, stored.guidelines) = (lease.annotator, lease.guidelines)
        stored.supersedes = earlier?.name ?? ""
        stored.createTime = .init(nanoseconds: ballot.now)
        try run(
            """
            INSERT INTO votes(example_id, annotator, message, create_ns, basis_id)
            VALUES(?, ?, ?, ?, ?)
            """, .integer(lease.example), .text(lease.annotator), .blob(try stored.encoded()),
            .integer(ballot.now), .integer(lease.present))
        stored.name = NumberedName(dataset: name.dataset, .vote, lastKey).description
        stored.example = name.description
        // The token stays good for a vote that supersedes this one; the place is free.
        try run("UPDATE leases SET expire_ns = 0 WHERE id = ?", .integer(ballot.task.number))
        let state = try settle(lease.example, of: ballot.dataset, at: ballot.now)
        var response = SubmitAnnotationResponse()
        response.vote = stored
        // A gold row never says that it is complete: it looks like a row that waits for others.
        response.rowComplete = !lease.isGold && state != .collecting
        if lease.isGold, ballot.dataset.stored.goldFeedback, !vote.skipped, earlier == nil {
            response.goldCorrect = ballot.dataset.stored.isSame(
                vote.answer, lease.answered.answer)
        }
        return response
    }
}

extension Dataset {
    /// Whether two answers are equal by the dataset's rules of comparison.
    func isSame(_ first: String, _ second: String) -> Bool {
        let rules = comparison
        return AnswerComparison(
            FlatAnswer(first, rules: rules), FlatAnswer(second, rules: rules)
        ).isEqual
    }
}
