import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `ListExamples`. Without a filter a page costs a page; with one, all rows are looked at.
    func list(
        _ request: ListExamplesRequest, by caller: Principal
    ) async throws -> ListExamplesResponse {
        let filter = try Filter(request.filter, kind: ExampleFilter.kind)
        if filter.fields.contains("gold"), !caller.may(.trainer) {
            throw DatasetError.forbidden(what: "the filter field gold", role: "trainer")
        }
        let side = request.thumbnailSidePixels
        guard side == 0 || (16...512).contains(side) else {
            throw DatasetError.invalid(
                field: "thumbnail_side_pixels", seen: "\(side)", allowed: "0, or 16 to 512")
        }
        let mark = "examples|\(request.parent)|\(request.filter)|\(request.orderBy)"
        let scan = ExampleScan(
            filter: filter,
            order: try PageOrder(
                request.orderBy, allowed: ["row_id", "create_time", "update_time"],
                standard: "row_id"),
            after: try PageToken(request.pageToken, for: mark),
            size: PageSize(request.pageSize).count, hidesGold: !caller.may(.trainer))
        let parts = request.parent.split(separator: "/")
        let database = filter.isEverything ? reader : scanner
        var page: ExampleScan.Page
        if parts.count == 4 {
            let name = try VersionName(request.parent, field: "parent")
            page = try await database.read { db in try scan.page(of: name, db) }
        } else {
            let name = try DatasetName(request.parent, field: "parent")
            page = try await database.read { db in try scan.page(of: name, db) }
        }
        var response = ListExamplesResponse()
        for index in page.rows.indices {
            if side > 0, page.rows[index].state != .erased {
                try await attachContent(to: &page.rows[index], side: Int(side))
            }
        }
        response.examples = page.rows
        response.totalCount = UInt64(page.total)
        response.nextPageToken = page.next?.text(for: mark) ?? ""
        return response
    }
}

/// Finds one page of rows.
struct ExampleScan: Sendable {
    let filter: Filter
    let order: PageOrder
    let after: PageToken?
    let size: Int
    /// Whether rows with a known answer look like rows without, to the filter too.
    let hidesGold: Bool

    /// What was found.
    struct Page: Sendable {
        var rows: [Example] = []
        var total = 0
        var next: PageToken?
        fileprivate var bytes = 0
        fileprivate var isFull = false
    }

    /// Rows of a dataset.
    func page(of name: DatasetName, _ db: Connection) throws -> Page {
        let dataset = try db.dataset(name)
        let (column, direction) = sorting
        let comparison = order.isDescending ? "<" : ">"
        var values = [SQLValue.integer(dataset.id)]
        var condition = "dataset_id = ?"
        // With a filter all rows are counted, and those before the page are passed over.
        if let after, filter.isEverything {
            condition += " AND (\(column), examples.id) \(comparison) (?, ?)"
            values += [key(after), .integer(after.id)]
        }
        let sql = """
            SELECT \(ExampleRecord.columns), 0 FROM examples
            LEFT JOIN revisions ON revisions.id = revision_id
            WHERE \(condition) ORDER BY \(column) \(direction), examples.id \(direction)
            """
        var page = try collect(sql, values, name, db)
        if filter.isEverything {
            page.total =
                try db.first(
                    "SELECT count(*) FROM examples WHERE dataset_id = ?", .integer(dataset.id)
                ) { $0.int(0) } ?? 0
        }
        return page
    }

    /// Rows of a version, as they were frozen.
    func page(of name: VersionName, _ db: Connection) throws -> Page {
        let version = try db.version(name)
        let (column, direction) = sorting
        let sql = """
            SELECT \(ExampleRecord.columns), split FROM version_rows
            JOIN revisions ON revisions.id = version_rows.revision_id
            JOIN examples ON examples.id = example_id
            WHERE version_id = ? ORDER BY \(column) \(direction), examples.id \(direction)
            """
        return try collect(
            sql, [.integer(version.id)], DatasetName(id: name.dataset), db, countsAll: true)
    }

    private var sorting: (column: String, direction: String) {
        let column =
            switch order.field {
            case "create_time": "create_ns"
            case "update_time": "update_ns"
            default: "row_id"
            }
        return (column, order.isDescending ? "DESC" : "ASC")
    }

    private func key(_ token: PageToken) -> SQLValue {
        order.field == "row_id" ? .text(token.key) : .integer(Int64(token.key) ?? 0)
    }

    private func key(of row: ExampleRecord) -> String {
        switch order.field {
        case "create_time": String(row.createNanoseconds)
        case "update_time": String(row.updateNanoseconds)
        default: row.rowID
        }
    }

    private func collect(
        _ sql: String, _ values: [SQLValue], _ dataset: DatasetName, _ db: Connection,
        countsAll: Bool = false
    ) throws -> Page {
        let reads = countsAll || !filter.isEverything
        var page = Page()
        var isBefore = reads && after != nil
        var failure: (any Error)?
        try db.each(sql, values) { row in
            do {
                try take(ExampleRecord(row), split: row.int(11), dataset, &page, &isBefore)
            } catch {
                failure = error
                return false
            }
            return reads || !page.isFull
        }
        if let failure { throw failure }
        if !page.isFull { page.next = nil }
        return page
    }

    private func take(
        _ record: ExampleRecord, split: Int, _ dataset: DatasetName, _ page: inout Page,
        _ isBefore: inout Bool
    ) throws {
        // Nothing of a row but its number is needed once the page is full and nothing is asked.
        if page.isFull, filter.isEverything {
            page.total += 1
            return
        }
        var message = try record.message(dataset, split: SplitKind(rawValue: Int32(split)))
        if hidesGold, message.gold { message.hideAnswer() }
        guard filter.matches({ ExampleFilter.value($0, of: message) }) else { return }
        page.total += 1
        if isBefore {
            isBefore = record.id != after?.id
            return
        }
        let bytes = record.payload?.count ?? 0
        if page.rows.count == size || page.bytes + bytes > Limits.pageBytesMax {
            page.isFull = true
            return
        }
        page.rows.append(message)
        page.bytes += bytes
        page.next = PageToken(key: key(of: record), id: record.id)
    }
}
