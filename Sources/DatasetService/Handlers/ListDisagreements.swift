import Base
import Messages
import Quality
import Resources
import Storage

extension Catalogue {
    /// `ListDisagreements`. Without filter and in order of time a page costs a page; else the votes
    /// of all disputed rows are looked at.
    func list(_ request: ListDisagreementsRequest) async throws -> ListDisagreementsResponse {
        let name = try DatasetName(request.parent, field: "parent")
        let side = Int(request.thumbnailSidePixels)
        guard side == 0 || (16...512).contains(side) else {
            throw DatasetError.invalid(
                field: "thumbnail_side_pixels", seen: "\(side)", allowed: "0, or 16 to 512")
        }
        let query = try DisagreementQuery(request)
        let database = query.readsAll ? scanner : reader
        var page = try await database.read { db in try query.page(of: try db.dataset(name), db) }
        var bytes = 0
        for index in page.items.indices where side > 0 {
            var row = page.items[index].row
            try await attachContent(to: &row, side: side)
            bytes += row.images.reduce(0) { $0 + $1.content.count }
            guard index == 0 || bytes <= Limits.pageBytesMax else {
                page.items.removeSubrange(index...)
                page.isCut = true
                break
            }
            page.items[index].disagreement.images = row.images
        }
        var response = ListDisagreementsResponse()
        response.disagreements = page.items.map(\.disagreement)
        response.openCount = UInt64(page.openCount)
        if page.isCut, let last = page.items.last {
            response.nextPageToken = PageToken(key: "", id: last.id).text(for: query.mark)
        }
        return response
    }
}

/// Which disagreements are asked for.
private struct DisagreementQuery: Sendable {
    let mark: String
    private let state: DisagreementState
    private let filter: Filter
    private let order: PageOrder
    private let after: PageToken?
    private let size: Int

    struct Item: Sendable {
        let id: Int64
        var disagreement: Disagreement
        let row: Example
        let created: Int64
    }

    struct Page: Sendable {
        var items: [Item] = []
        var isCut = false
        var openCount = 0
    }

    init(_ request: ListDisagreementsRequest) throws(DatasetError) {
        state = request.state
        guard state.isKnown else {
            throw .invalid(
                field: "state", seen: state.plainName, allowed: "OPEN, DECIDED or REOPENED")
        }
        filter = try Filter(request.filter, kind: Self.kind)
        order = try PageOrder(
            request.orderBy, allowed: ["create_time", "majority_share"], standard: "create_time")
        mark =
            "disagreements|\(request.parent)|\(state.rawValue)|\(request.filter)|\(request.orderBy)"
        after = try PageToken(request.pageToken, for: mark)
        size = PageSize(request.pageSize).count
    }

    var readsAll: Bool { !filter.isEverything || order.field == "majority_share" }

    func page(of dataset: DatasetRecord, _ db: Connection) throws -> Page {
        var page = Page()
        page.openCount =
            try db.first(
                "SELECT count(*) FROM examples WHERE dataset_id = ? AND state = ?",
                .integer(dataset.id), SQLValue(Int(ExampleState.disputed.rawValue))
            ) { $0.int(0) } ?? 0
        let ids = try ids(of: dataset, db)
        if readsAll {
            let all = try ids.map { try item($0, dataset, db) }.filter { item in
                filter.matches { Self.value(of: $0, in: item) }
            }
            let sorted = order.field == "majority_share" ? all.sorted(by: isBefore) : all
            page.items = Array(rest(of: sorted, \.id))
        } else {
            page.items = try rest(of: ids, \.self).prefix(size + 1).map {
                try item($0, dataset, db)
            }
        }
        page.isCut = page.items.count > size
        page.items = Array(page.items.prefix(size))
        return page
    }

    /// What comes after the page before.
    private func rest<T>(of all: [T], _ id: KeyPath<T, Int64>) -> ArraySlice<T> {
        guard let after else { return all[...] }
        let place = all.firstIndex { $0[keyPath: id] == after.id }
        // A row that was decided meanwhile is no longer listed: the rest begins where it was.
        return place.map { all[($0 + 1)...] } ?? all.drop { $0[keyPath: id] <= after.id }
    }

    private func isBefore(_ a: Item, _ b: Item) -> Bool {
        let (x, y) = order.isDescending ? (b, a) : (a, b)
        return (x.disagreement.majorityShare, x.created, x.id)
            < (y.disagreement.majorityShare, y.created, y.id)
    }

    /// The rows in order of creation.
    private func ids(of dataset: DatasetRecord, _ db: Connection) throws -> [Int64] {
        let undone = """
            EXISTS (SELECT 1 FROM adjudications WHERE example_id = examples.id
                AND adjudications.basis_id = examples.basis_id
                AND kind = \(AdjudicationKind.undo.rawValue))
            """
        let isDisputed = "state = \(ExampleState.disputed.rawValue)"
        let condition =
            switch state {
            case .open: "\(isDisputed) AND NOT \(undone)"
            case .reopened: "\(isDisputed) AND \(undone)"
            case .decided:
                """
                state = \(ExampleState.decided.rawValue)
                AND answer_origin = \(AnswerOrigin.adjudicated.rawValue)
                """
            default: isDisputed
            }
        let isDescending = order.field == "create_time" && order.isDescending
        let direction = isDescending ? "DESC" : "ASC"
        // The plus keeps SQLite from walking all rows in order: those in one state are fewer.
        return try db.rows(
            """
            SELECT id FROM examples WHERE dataset_id = ? AND \(condition)
            ORDER BY +create_ns \(direction), id \(direction)
            """, .integer(dataset.id)
        ) { $0.int64(0) }
    }

    private func item(_ id: Int64, _ dataset: DatasetRecord, _ db: Connection) throws -> Item {
        let found = try db.first(
            """
            SELECT \(ExampleRecord.columns), basis_id FROM examples
            JOIN revisions ON revisions.id = revision_id WHERE examples.id = ?
            """, .integer(id)
        ) { (ExampleRecord($0), $0.int64(11)) }
        guard let (record, basis) = found else {
            throw StorageError.corrupt(what: "a row without content")
        }
        let row = try record.message(dataset.name)
        let name = ExampleName(dataset: dataset.name.id, rowID: record.rowID)
        var disagreement = Disagreement()
        disagreement.example = row.name
        disagreement.votes = try db.standingVotes(on: id, named: name, basis: basis)
        disagreement.adjudications = try db.adjudications(on: id, named: name)
        let wasUndone = disagreement.adjudications.contains { $0.kind == .undo }
        disagreement.state =
            record.state == .decided ? .decided : wasUndone ? .reopened : .open
        disagreement.compare(by: dataset.stored.comparison)
        return Item(
            id: id, disagreement: disagreement, row: row, created: record.createNanoseconds)
    }

    private static func kind(_ name: String) -> FilterKind? {
        switch name {
        case "answer", "annotator", "pointer", "tags": .texts
        case "majority_share": .number
        case "create_time": .time
        default: nil
        }
    }

    private static func value(of field: String, in item: Item) -> FilterValue {
        let disagreement = item.disagreement
        switch field {
        case "answer": return .texts(disagreement.votes.map(\.answer))
        case "annotator": return .texts(disagreement.votes.map(\.annotator))
        case "pointer": return .texts(disagreement.differingPointers)
        case "tags": return .texts(Array(Set(item.row.tags + disagreement.votes.flatMap(\.tags))))
        case "majority_share": return .number(disagreement.majorityShare)
        default: return .number(Double(item.created))
        }
    }
}

extension Disagreement {
    /// Finds where answers differ, and which one most votes give.
    fileprivate mutating func compare(by rules: [Quality.FieldRule]) {
        let answered = votes.filter { !$0.skipped }
        let flats = answered.map { FlatAnswer($0.answer, rules: rules) }
        if flats.contains(where: \.isStructured), let first = flats.first {
            var pointers = Set<String>()
            for flat in flats.dropFirst() {
                for field in AnswerComparison(first, flat).fields where !field.isEqual {
                    pointers.insert(field.pointer)
                }
            }
            differingPointers = pointers.sorted()
        }
        let cast = answered.map { RowVote(row: 0, annotator: $0.annotator, answer: $0.answer) }
        // No share is above all of them: what comes back are the camps, the largest first.
        let rule = ConsensusRule(votesNeeded: 1, shareAbove: 1)
        guard case .disagreement(let answers, let shares) = rule.outcome(cast, rules: rules) else {
            return
        }
        majorityShare = shares[0] * Double(answered.count) / Double(votes.count)
        let isTie = shares.count > 1 && shares[1] == shares[0]
        majorityAnswer = isTie ? "" : answers[0]
    }
}
