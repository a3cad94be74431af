import Base
import Messages
import Resources
import Storage

extension Catalogue {
    /// `DiffVersions`.
    func diff(_ request: DiffVersionsRequest) async throws -> DiffVersionsResponse {
        let old = try VersionName(request.oldVersion, field: "old_version")
        let new = try VersionName(request.newVersion, field: "new_version")
        guard old.dataset == new.dataset else {
            throw DatasetError.fieldsConflict(
                "old_version and new_version are of different datasets",
                fields: ["old_version", "new_version"])
        }
        let mark = "diff|\(request.oldVersion)|\(request.newVersion)|\(request.changes)"
        let after = try PageToken(request.pageToken, for: mark)
        return try await scanner.read { db in
            var walk = DiffWalk(
                request, old: try db.version(old), new: try db.version(new), after: after)
            try walk.run(db)
            return walk.response(mark)
        }
    }
}

/// Goes through the rows of two versions in order of row id.
private struct DiffWalk {
    private let old, new: VersionRecord
    private let wanted: Set<RowChange>
    private let size: Int
    private let after: PageToken?
    private var found = DiffVersionsResponse()
    private var totals: [RowChange: UInt64] = [:]
    private var last: PageToken?
    private var isFull = false

    /// One row on both sides.
    private struct Pair {
        let id: Int64
        let rowID: String
        let splits: (old: SplitKind, new: SplitKind)
        let digests: (old: Bytes, new: Bytes)
        let payloads: (old: Bytes, new: Bytes)
    }

    init(
        _ request: DiffVersionsRequest, old: VersionRecord, new: VersionRecord, after: PageToken?
    ) {
        (self.old, self.new, self.after) = (old, new, after)
        wanted = Set(request.changes.isEmpty ? RowChange.allKnown : request.changes)
        size = PageSize(request.pageSize).count
    }

    mutating func run(_ db: Connection) throws {
        let side = """
            SELECT example_id, split, row_sha, payload FROM version_rows
            JOIN revisions ON revisions.id = revision_id WHERE version_id
            """
        var failure: (any Error)?
        try db.each(
            """
            SELECT examples.id, row_id, a.split, b.split, a.row_sha, b.row_sha, a.payload, b.payload
            FROM (\(side) = ?1) AS a
            FULL JOIN (\(side) = ?2) AS b ON a.example_id = b.example_id
            JOIN examples ON examples.id = coalesce(a.example_id, b.example_id)
            ORDER BY row_id
            """, [.integer(old.id), .integer(new.id)]
        ) { row in
            let pair = Pair(
                id: row.int64(0), rowID: row.text(1),
                splits: (
                    SplitKind(rawValue: Int32(row.int(2))), SplitKind(rawValue: Int32(row.int(3)))
                ), digests: (row.blob(4), row.blob(5)), payloads: (row.blob(6), row.blob(7)))
            do { try take(pair) } catch { failure = error }
            return failure == nil
        }
        if let failure { throw failure }
    }

    func response(_ mark: String) -> DiffVersionsResponse {
        var response = found
        response.totals = totals.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { NamedCount($0.key.plainName.lowercased(), $0.value) }
        response.settingChanges = settingChanges
        if isFull, let last { response.nextPageToken = last.text(for: mark) }
        return response
    }

    private mutating func take(_ pair: Pair) throws {
        let (before, now) = pair.splits
        if (before == .train) != (now == .train), before != .unspecified, now != .unspecified {
            found.crossedCount += 1
        }
        let answers = try pair.digests.old == pair.digests.new ? ("", "") : answers(pair)
        guard let change = change(pair, answers) else {
            found.unchangedCount += 1
            return
        }
        totals[change, default: 0] += 1
        guard wanted.contains(change), after.map({ pair.rowID > $0.key }) ?? true else { return }
        guard found.differences.count < size else {
            isFull = true
            return
        }
        var difference = RowDifference()
        difference.example =
            ExampleName(dataset: old.name.dataset, rowID: pair.rowID).description
        (difference.change, difference.oldSplit, difference.newSplit) = (change, before, now)
        difference.oldAnswer = String(answers.0.prefix(1_000))
        difference.newAnswer = String(answers.1.prefix(1_000))
        found.differences.append(difference)
        last = PageToken(key: pair.rowID, id: pair.id)
    }

    private func change(_ pair: Pair, _ answers: (String, String)) -> RowChange? {
        if pair.splits.old == .unspecified { return .added }
        if pair.splits.new == .unspecified { return .removed }
        if pair.digests.old != pair.digests.new {
            return answers.0 == answers.1 ? .content : .answer
        }
        return pair.splits.old == pair.splits.new ? nil : .split
    }

    private func answers(_ pair: Pair) throws -> (String, String) {
        (
            try Example(decoding: pair.payloads.old).answer,
            try Example(decoding: pair.payloads.new).answer
        )
    }

    private var settingChanges: [String] {
        let (a, b) = (old.stored, new.stored)
        var changes: [String] = []
        if a.task != b.task {
            changes.append("The task was \(a.task.plainName) and is \(b.task.plainName).")
        }
        if a.domain != b.domain {
            changes.append("The domain was \(a.domain.plainName) and is \(b.domain.plainName).")
        }
        if a.answerSchema != b.answerSchema { changes.append("The answer schema changed.") }
        if a.guidelines != b.guidelines {
            changes.append("The guidelines were '\(a.guidelines)' and are '\(b.guidelines)'.")
        }
        if a.augmentationPolicy != b.augmentationPolicy {
            changes.append("The augmentation policy changed.")
        }
        if a.targetScore != b.targetScore {
            let texts = [a, b].map { $0.targetScore.map { "\($0)" } ?? "none" }
            changes.append("The target score was \(texts[0]) and is \(texts[1]).")
        }
        return changes
    }
}
