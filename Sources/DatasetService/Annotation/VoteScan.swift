import Base
import Messages
import Quality
import Resources
import Storage

/// The votes of a dataset that count, and what is known about their rows.
struct VoteScan: Sendable {
    /// A vote as agreement needs it.
    struct Cast: Sendable {
        /// Its number: later votes have larger ones.
        let id: Int64
        let row: Int64
        let annotator: String
        let answer: String
        let skipped: Bool
        let leadSeconds: Double
        let nanoseconds: Int64
    }

    /// A gold row answered by somebody for the first time.
    struct GoldAnswer: Sendable {
        fileprivate let vote: Int64
        fileprivate let row: Int64
        let annotator: String
        let isRight: Bool
    }

    let dataset: DatasetRecord
    /// In order of time; of several votes of one person on a row the last.
    private(set) var votes: [Cast] = []
    /// In order of time.
    private(set) var golds: [GoldAnswer] = []
    /// Answers of rows that are decided and have votes, gold rows aside.
    private(set) var decided: [Int64: String] = [:]
    private(set) var completeCount = 0
    private(set) var incompleteCount = 0

    /// Reads them, inside one read of the catalogue.
    ///
    /// - Parameter filter: which rows
    init(_ dataset: DatasetRecord, _ filter: Filter, _ db: Connection) throws {
        self.dataset = dataset
        let chosen = filter.isEverything ? nil : try matching(filter, db)
        if chosen == nil { try count(db) }
        var last: [Key: Int] = [:]
        var known: [Int64: String] = [:]
        var failure: (any Error)?
        try db.each(
            """
            SELECT votes.example_id, annotator, message, votes.create_ns, gold, state, payload,
                votes.id
            FROM votes JOIN examples ON examples.id = votes.example_id
            JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND votes.basis_id = examples.basis_id
            """, [.integer(dataset.id)]
        ) { row in
            guard chosen?.contains(row.int64(0)) ?? true else { return true }
            do {
                try take(row, &last, &known)
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
        // Sorted here, since SQLite would sort the rows' contents along.
        votes = last.values.map { votes[$0] }.sorted { $0.id < $1.id }
        // Whoever was told to be wrong may vote again, but not for the record.
        var seen = Set<Key>()
        golds = golds.sorted { $0.vote < $1.vote }.filter {
            seen.insert(Key(row: $0.row, annotator: $0.annotator)).inserted
        }
    }

    private struct Key: Hashable {
        let row: Int64
        let annotator: String
    }

    private mutating func take(
        _ row: Row, _ last: inout [Key: Int], _ known: inout [Int64: String]
    ) throws {
        let vote = try Vote(decoding: row.blob(2))
        let key = Key(row: row.int64(0), annotator: row.text(1))
        let id = row.int64(7)
        if last[key].map({ votes[$0].id < id }) ?? true { last[key] = votes.count }
        votes.append(
            Cast(
                id: id, row: key.row, annotator: key.annotator, answer: vote.answer,
                skipped: vote.skipped, leadSeconds: vote.leadSeconds, nanoseconds: row.int64(3)))
        guard row.int(5) == ExampleState.decided.rawValue else { return }
        if known[key.row] == nil {
            known[key.row] = try Example(decoding: row.blob(6)).answer
        }
        let answer = known[key.row] ?? ""
        guard row.bool(4) else {
            decided[key.row] = answer
            return
        }
        guard !vote.skipped else { return }
        golds.append(
            GoldAnswer(
                vote: id, row: key.row, annotator: key.annotator,
                isRight: dataset.stored.isSame(vote.answer, answer)))
    }

    /// Rows that a filter chooses; they are counted on the way.
    private mutating func matching(_ filter: Filter, _ db: Connection) throws -> Set<Int64> {
        var chosen = Set<Int64>()
        var states: [ExampleState: Int] = [:]
        var failure: (any Error)?
        try db.each(
            """
            SELECT \(ExampleRecord.columns) FROM examples
            JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND payload NOT NULL
            """, [.integer(dataset.id)]
        ) { row in
            do {
                let record = ExampleRecord(row)
                let message = try record.message(dataset.name)
                guard filter.matches({ ExampleFilter.value($0, of: message) }) else { return true }
                chosen.insert(record.id)
                if !record.gold, record.origin != .imported {
                    states[record.state, default: 0] += 1
                }
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
        setCounts(states)
        return chosen
    }

    private mutating func count(_ db: Connection) throws {
        let rows = try db.rows(
            """
            SELECT state, count(*) FROM examples
            WHERE dataset_id = ? AND gold = 0 AND answer_origin <> ? GROUP BY state
            """, .integer(dataset.id), SQLValue(Int(AnswerOrigin.imported.rawValue))
        ) { (ExampleState(rawValue: Int32($0.int(0))), $0.int(1)) }
        setCounts(Dictionary(uniqueKeysWithValues: rows))
    }

    private mutating func setCounts(_ states: [ExampleState: Int]) {
        completeCount = (states[.disputed] ?? 0) + (states[.decided] ?? 0)
        incompleteCount = (states[.unlabelled] ?? 0) + (states[.collecting] ?? 0)
    }
}

extension VoteScan {
    /// Votes as agreement compares them: answers that the dataset's rules call equal have one
    /// wording.
    ///
    /// - Parameter choose: which votes
    func comparable(_ choose: (Cast) -> Bool) -> [RowVote] {
        let rules = dataset.stored.comparison
        var wordings: [String: String] = [:]
        var camps: [Int64: [(flat: FlatAnswer, wording: String)]] = [:]
        var flats: [String: FlatAnswer] = [:]
        return votes.filter { !$0.skipped && choose($0) }.map { vote in
            let flat = flats[vote.answer] ?? FlatAnswer(vote.answer, rules: rules)
            if flats.count < Limits.classesMax { flats[vote.answer] = flat }
            // Within a row tolerances count; across rows answers are the same by their fields.
            let camp = camps[vote.row]?.first { AnswerComparison($0.flat, flat).isEqual }
            let key = flat.key
            let wording = camp?.wording ?? wordings[key] ?? vote.answer
            if camp == nil {
                wordings[key] = wording
                camps[vote.row, default: []].append((flat, wording))
            }
            return RowVote(row: Int(vote.row), annotator: vote.annotator, answer: wording)
        }
    }

    /// Votes with their answers as written.
    func written(_ choose: (Cast) -> Bool) -> [RowVote] {
        votes.filter { !$0.skipped && choose($0) }.map {
            RowVote(row: Int($0.row), annotator: $0.annotator, answer: $0.answer)
        }
    }
}
