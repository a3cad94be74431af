import Base
import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `ListAnnotationTasks`: choosing rows and reserving them is one change, so that a row is
    /// never given to more people than it needs.
    func list(
        _ request: ListAnnotationTasksRequest, by caller: Principal
    ) async throws -> ListAnnotationTasksResponse {
        let order = try TaskOrder(request, by: caller, now: clock())
        var response: ListAnnotationTasksResponse
        if order.peeks {
            response = try await scanner.read { db in try order.peek(db) }
        } else {
            response = try await writer.write { db in try order.give(db) }
            for index in response.tasks.indices {
                guard var row = response.tasks[index].example else { continue }
                try await attachContent(to: &row, side: order.side)
                response.tasks[index].example = row
            }
        }
        let golds = order.peeks ? 0 : response.remainingCount
        let database = order.filter.isEverything ? reader : scanner
        let (open, guidelines) = try await database.read { db in
            let dataset = try db.dataset(order.dataset)
            return (
                try order.queue(dataset, db).openCount(), try db.guidelines(of: dataset)
            )
        }
        response.guidelines = guidelines
        response.remainingCount = UInt64(max(0, open)) + golds
        if response.remainingCount <= response.tasks.count, order.isFirstPage {
            response.nextPageToken = ""
        }
        return response
    }
}

/// What is asked of the queue.
private struct TaskOrder: Sendable {
    let dataset: DatasetName
    let annotator: String
    let filter: Filter
    let side: Int
    let peeks: Bool
    private let size: Int
    private let leaseSeconds: Int64
    private let mark: String
    private let after: PageToken?
    private let now: Int64

    var isFirstPage: Bool { after == nil }

    init(_ request: ListAnnotationTasksRequest, by caller: Principal, now: Int64) throws {
        dataset = try DatasetName(request.parent, field: "parent")
        annotator = request.annotator.isEmpty ? caller.name : request.annotator
        guard !annotator.isEmpty else { throw DatasetError.required(field: "annotator") }
        try VoteRules.size("annotator", annotator, Limits.annotatorBytesMax)
        guard annotator == caller.name || caller.may(.operator_) else {
            throw DatasetError.forbidden(what: "the name of another annotator", role: "operator")
        }
        filter = try Filter(request.filter, kind: ExampleFilter.kind)
        let asked = request.pageSize == 0 ? Limits.tasksStandard : Int(request.pageSize)
        size = min(asked, Limits.tasksMax)
        leaseSeconds = request.leaseDuration?.seconds ?? Limits.leaseSecondsStandard
        guard (Limits.leaseSecondsMin...Limits.leaseSecondsMax).contains(leaseSeconds) else {
            throw DatasetError.invalid(
                field: "lease_duration", seen: "\(leaseSeconds) s",
                allowed: "\(Limits.leaseSecondsMin) to \(Limits.leaseSecondsMax) s is allowed")
        }
        side = Int(request.imageSidePixels)
        guard side == 0 || (64...4_096).contains(side) else {
            throw DatasetError.invalid(
                field: "image_side_pixels", seen: "\(side)", allowed: "0, or 64 to 4096")
        }
        peeks = request.peek
        mark = "tasks|\(dataset)|\(annotator)|\(request.filter)|\(peeks)"
        after = try PageToken(request.pageToken, for: mark)
        self.now = now
    }

    func queue(_ record: DatasetRecord, _ db: Connection) -> TaskQueue {
        TaskQueue(db: db, dataset: record, annotator: annotator, filter: filter, now: now)
    }

    /// The head of the queue as it is, with nothing reserved.
    func peek(_ db: Connection) throws -> ListAnnotationTasksResponse {
        let queue = queue(try db.dataset(dataset), db)
        let passed = max(0, Int(after?.id ?? 0))
        let places = try queue.open(size, skipping: passed)
        var response = ListAnnotationTasksResponse()
        for (index, place) in places.enumerated() {
            response.tasks.append(task(place, queue.dataset, at: passed + index))
        }
        if places.count == size {
            let next = PageToken(key: "", id: Int64(passed + size))
            response.nextPageToken = next.text(for: mark)
        }
        return response
    }

    /// Rows reserved for the person. The count of remaining rows is that of gold ones for now.
    func give(_ db: Connection) throws -> ListAnnotationTasksResponse {
        let record = try db.dataset(dataset)
        let queue = queue(record, db)
        let until = now + leaseSeconds * 1_000_000_000
        let bytesMax = side == 0 ? Limits.pageBytesMax : .max
        var given = try queue.held(after: after?.id ?? 0, size: size)
        var bytes = 0
        given = Array(
            given.prefix { item in
                bytes += item.place.row.images.reduce(0) { $0 + Int($1.sizeBytes) }
                return bytes <= bytesMax || item.id == given.first?.id
            })
        for item in given { try queue.renew(item, until: until) }
        if bytes < bytesMax {
            given += try queue.give(
                size - given.count, bytesMax: bytesMax - bytes, until: until)
        }
        var response = ListAnnotationTasksResponse()
        for (index, item) in given.enumerated() {
            var task = task(item.place, record, at: index)
            task.name = NumberedName(dataset: record.name.id, .task, item.id).description
            task.lease = item.token
            task.leaseExpireTime = .init(nanoseconds: until)
            response.tasks.append(task)
        }
        response.remainingCount = UInt64(given.count { $0.place.gold })
        // Fewer than asked for may have filled the message: then the rest is on the next page.
        if let last = given.map(\.id).max(), given.count == size || bytesMax < .max {
            let next = PageToken(key: "", id: max(last, after?.id ?? 0))
            response.nextPageToken = next.text(for: mark)
        }
        return response
    }

    private func task(
        _ place: TaskQueue.Place, _ record: DatasetRecord, at index: Int
    ) -> AnnotationTask {
        var task = AnnotationTask()
        task.example = place.row
        task.guidelines = record.stored.guidelines
        task.queuePosition = UInt32(index + 1)
        return task
    }
}
