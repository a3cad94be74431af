import Base
import Digests
import Messages
import Quality
import Resources
import Storage

/// Which rows one person is given, in which order: those nearest to complete first, then the
/// oldest, and one gold row among every ten where there are any.
struct TaskQueue {
    let db: Connection
    let dataset: DatasetRecord
    let annotator: String
    let filter: Filter
    let now: Int64

    /// A row of the queue.
    struct Place: Sendable {
        let example: Int64
        let basis: Int64
        let gold: Bool
        /// As the person sees it.
        let row: Example
    }

    /// A row given to the person.
    struct Given: Sendable {
        let id: Int64
        let token: String
        let place: Place
    }

    /// Rows that the person may answer: not voted on, and with fewer people on it than wanted.
    private static let isOpen = """
        dataset_id = ?1 AND state = ?5 AND gold = ?6
        AND NOT EXISTS (SELECT 1 FROM votes WHERE annotator = ?2
            AND votes.example_id = examples.id AND votes.basis_id = examples.basis_id)
        AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.example_id = examples.id
            AND annotator = ?2 AND expire_ns > ?3 AND leases.basis_id = examples.basis_id)
        AND (gold = 1 OR vote_count + (SELECT count(*) FROM leases
            WHERE leases.example_id = examples.id AND annotator <> ?2 AND expire_ns > ?3
            AND leases.basis_id = examples.basis_id) < ?4)
        """

    /// Rows that the person was given before and has not answered, oldest first.
    ///
    /// - Parameter after: only those given later than this one
    func held(after: Int64, size: Int) throws -> [Given] {
        var found: [Given] = []
        try each(
            """
            SELECT examples.id, examples.basis_id, gold, row_id, payload, leases.id, token
            FROM leases JOIN examples ON examples.id = leases.example_id
            JOIN revisions ON revisions.id = examples.basis_id
            WHERE leases.dataset_id = ?1 AND annotator = ?2 AND expire_ns > ?3
                AND leases.basis_id = examples.basis_id AND leases.id > ?4
                AND (gold = 1 OR state IN (?5, ?6)) ORDER BY leases.id
            """,
            [
                .integer(dataset.id), .text(annotator), .integer(now), .integer(after),
                SQLValue(Int(ExampleState.unlabelled.rawValue)),
                SQLValue(Int(ExampleState.collecting.rawValue)),
            ]
        ) { place, row in
            found.append(Given(id: row.int64(5), token: row.text(6), place: place))
            return found.count < size
        }
        return found
    }

    /// Open rows in the order of the queue, until `body` returns false.
    func eachOpen(gold: Bool = false, _ body: (Place) throws -> Bool) throws {
        var goesOn = true
        let states: [ExampleState] = gold ? [.decided] : [.collecting, .unlabelled]
        for state in states where goesOn {
            try each(
                """
                SELECT examples.id, basis_id, gold, row_id, payload FROM examples
                JOIN revisions ON revisions.id = basis_id WHERE \(Self.isOpen)
                ORDER BY vote_count DESC, create_ns, examples.id
                """, values + [SQLValue(Int(state.rawValue)), SQLValue(gold)]
            ) { place, _ in
                goesOn = try body(place)
                return goesOn
            }
        }
    }

    /// Open rows, so many of them.
    func open(_ count: Int, skipping: Int = 0) throws -> [Place] {
        var (found, passed) = ([Place](), 0)
        guard count > 0 else { return [] }
        try eachOpen { place in
            passed += 1
            if passed > skipping { found.append(place) }
            return found.count < count
        }
        return found
    }

    /// How many open rows there are, by counting what is not open; those held by the person too.
    func openCount() throws -> Int {
        guard filter.isEverything else {
            var count = try held(after: 0, size: .max).count { !$0.place.gold }
            try eachOpen { _ in
                count += 1
                return true
            }
            return count
        }
        let isWaiting = """
            state IN (\(ExampleState.unlabelled.rawValue), \(ExampleState.collecting.rawValue))
            AND gold = 0
            """
        let all = try number(
            "SELECT count(*) FROM examples WHERE dataset_id = ?1 AND \(isWaiting)",
            [.integer(dataset.id)])
        let answered = try number(
            """
            SELECT count(DISTINCT example_id) FROM votes JOIN examples ON examples.id = example_id
            WHERE annotator = ?2 AND dataset_id = ?1 AND votes.basis_id = examples.basis_id
                AND \(isWaiting)
            """, [.integer(dataset.id), .text(annotator)])
        let taken = try number(
            """
            SELECT count(*) FROM (SELECT example_id, basis_id AS given, count(*) AS people
                FROM leases WHERE dataset_id = ?1 AND expire_ns > ?3 AND annotator <> ?2
                GROUP BY example_id, basis_id)
            JOIN examples ON examples.id = example_id AND basis_id = given
            WHERE vote_count + people >= ?4 AND \(isWaiting)
                AND NOT EXISTS (SELECT 1 FROM votes WHERE annotator = ?2
                    AND votes.example_id = examples.id AND votes.basis_id = examples.basis_id)
            """, values)
        return all - answered - taken
    }

    /// Reserves open rows, with gold rows in between.
    func give(_ count: Int, bytesMax: Int, until: Int64) throws -> [Given] {
        var ordinary = try open(count)[...]
        var gold: [Place]?
        var (given, goldGiven) = try history()
        var found: [Given] = []
        var bytes = 0
        while found.count < count, let next = ordinary.first {
            var place = next
            if isGoldDue(given: given, goldGiven: goldGiven) {
                if gold == nil { gold = try openGold(count) }
                if let known = gold?.popLast() { place = known }
            }
            bytes += place.row.imageBytes
            guard found.isEmpty || bytes <= bytesMax else { break }
            if place.gold { goldGiven += 1 } else { ordinary.removeFirst() }
            given += 1
            found.append(try lease(place, until: until))
        }
        return found
    }

    /// Holds a row that is given again for longer.
    func renew(_ given: Given, until: Int64) throws {
        try db.run(
            "UPDATE leases SET expire_ns = ?, guidelines = ? WHERE id = ?", .integer(until),
            .text(dataset.stored.guidelines), .integer(given.id))
    }

    private func lease(_ place: Place, until: Int64) throws -> Given {
        let words = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)]
        let token = words.withUnsafeBytes { Hexadecimal.text($0) }
        let id = try db.first(
            """
            INSERT INTO leases(dataset_id, example_id, basis_id, annotator, token, guidelines,
                expire_ns) VALUES(?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(example_id, annotator) DO UPDATE SET basis_id = excluded.basis_id,
                token = excluded.token, guidelines = excluded.guidelines,
                expire_ns = excluded.expire_ns RETURNING id
            """, .integer(dataset.id), .integer(place.example), .integer(place.basis),
            .text(annotator), .text(token), .text(dataset.stored.guidelines), .integer(until)
        ) { $0.int64(0) }
        guard let id else { throw StorageError.corrupt(what: "a lease without a number") }
        return Given(id: id, token: token, place: place)
    }

    /// Rows given to the person so far, and the gold ones among them.
    private func history() throws -> (given: Int, gold: Int) {
        try db.first(
            """
            SELECT count(*), coalesce(sum(gold), 0) FROM leases
            JOIN examples ON examples.id = example_id
            WHERE leases.dataset_id = ? AND annotator = ?
            """, .integer(dataset.id), .text(annotator)
        ) { ($0.int(0), $0.int(1)) } ?? (0, 0)
    }

    /// One place in every ten, another one in each ten and for each person.
    private func isGoldDue(given: Int, goldGiven: Int) -> Bool {
        let block = given / Limits.goldEvery
        let place = SplitPlan.hash("\(dataset.id) \(block) \(annotator)", salt: 7)
        return goldGiven <= block
            && given % Limits.goldEvery >= Int(place % UInt64(Limits.goldEvery))
    }

    /// Gold rows the person has not answered, the first to give last.
    private func openGold(_ count: Int) throws -> [Place] {
        var found: [Place] = []
        try eachOpen(gold: true) { place in
            found.append(place)
            return found.count < count
        }
        return found.reversed()
    }

    private var values: [SQLValue] {
        [
            .integer(dataset.id), .text(annotator), .integer(now),
            SQLValue(dataset.stored.votesNeeded),
        ]
    }

    private func number(_ sql: String, _ values: [SQLValue]) throws -> Int {
        var result = 0
        try db.each(sql, values) { row in
            result = row.int(0)
            return false
        }
        return result
    }

    /// Rows of a query that the filter lets through, blind.
    private func each(
        _ sql: String, _ values: [SQLValue], _ body: (Place, Row) throws -> Bool
    ) throws {
        var failure: (any Error)?
        try db.each(sql, values) { row in
            do {
                var message = try Example(decoding: row.blob(4))
                message.rowID = row.text(3)
                message.name =
                    ExampleName(dataset: dataset.name.id, rowID: message.rowID).description
                message.hideAnswer()
                guard filter.matches({ ExampleFilter.value($0, of: message) }) else { return true }
                return try body(
                    Place(
                        example: row.int64(0), basis: row.int64(1), gold: row.bool(2),
                        row: message), row)
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
    }
}

extension Example {
    fileprivate var imageBytes: Int { images.reduce(0) { $0 + Int($1.sizeBytes) } }
}
