import Base
import Messages
import Resources
import Storage
import Training

extension Jobs {
    /// `ListCheckpoints`: those that are still on the disk, with what was told of them.
    func list(_ request: ListCheckpointsRequest) async throws -> ListCheckpointsResponse {
        let name = try JobName(request.parent, field: "parent")
        var all = try await store.checkpoints(of: name)
        let order = try PageOrder(
            request.orderBy, allowed: ["step"] + Set(all.flatMap(\.measures).map(\.name)).sorted(),
            standard: "step")
        let mark = "checkpoints|\(request.parent)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        all.sort { a, b in
            let (first, second) = order.isDescending ? (b, a) : (a, b)
            return (first.key(order), first.step) < (second.key(order), second.step)
        }
        let start = after.map { token in
            (all.firstIndex { $0.name == token.key } ?? all.count - 1) + 1
        }
        let page = all.dropFirst(start ?? 0).prefix(size)
        var response = ListCheckpointsResponse()
        response.checkpoints = Array(page)
        if let last = page.last, page.endIndex < all.endIndex {
            response.nextPageToken = PageToken(key: last.name, id: 0).text(for: mark)
        }
        return response
    }

}

extension TrainerStore {
    /// The checkpoints of a job, the oldest first.
    func checkpoints(of name: JobName) async throws -> [Messages.Checkpoint] {
        let (told, evaluations) = try await reader.read { db in
            let job = try db.job(name)
            return (
                try db.events(of: job, kind: .checkpoint), try db.events(of: job, kind: .evaluation)
            )
        }
        var measures: [UInt64: [Measure]] = [:]
        for case .evaluation(let evaluation)? in evaluations.map(\.body) {
            measures[evaluation.step] = evaluation.measures
        }
        let files = CheckpointStore("\(folder(of: name))/checkpoints")
        let names = Set(files.names)
        let (best, last) = (files.resolved("best"), files.resolved("last"))
        return told.compactMap { event in
            guard case .checkpoint(var checkpoint)? = event.body,
                let id = checkpoint.name.split(separator: "/").last.map(String.init),
                names.contains(id)
            else { return nil }
            (checkpoint.best, checkpoint.last) = (id == best, id == last)
            checkpoint.measures = measures[checkpoint.step] ?? []
            return checkpoint
        }
    }
}

extension Messages.Checkpoint {
    fileprivate func key(_ order: PageOrder) -> Double {
        if order.field == "step" { return Double(step) }
        return measures.first { $0.name == order.field }?.value ?? -.infinity
    }
}

extension Connection {
    /// All events of a kind.
    func events(of job: JobRecord, kind: JobEventKind) throws -> [JobEvent] {
        let found = try rows(
            "SELECT message FROM events WHERE job_id = ? AND kind = ? ORDER BY number",
            .integer(job.id), SQLValue(Int(kind.rawValue))
        ) { $0.blob(0) }
        return try found.map { try JobEvent(decoding: $0) }
    }
}
