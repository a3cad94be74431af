import Base
import Messages
import Resources
import Storage

extension Connection {
    /// The votes on a row, oldest first: those on content that was replaced since included.
    func votes(on example: Int64, named name: ExampleName) throws -> [Vote] {
        try votes(on: example, named: name, basis: nil)
    }

    /// The votes that count: on the row as it is now, the last one of each person, oldest first.
    func standingVotes(
        on example: Int64, named name: ExampleName, basis: Int64
    ) throws -> [Vote] {
        let all = try votes(on: example, named: name, basis: basis)
        var last: [String: Int] = [:]
        for (place, vote) in all.enumerated() { last[vote.annotator] = place }
        return last.values.sorted().map { all[$0] }
    }

    private func votes(
        on example: Int64, named name: ExampleName, basis: Int64?
    ) throws -> [Vote] {
        let stored = try rows(
            """
            SELECT id, message FROM votes WHERE example_id = ?1 AND (?2 IS NULL OR basis_id = ?2)
            ORDER BY id
            """, .integer(example), basis.map { .integer($0) } ?? .null
        ) { ($0.int64(0), $0.blob(1)) }
        return try stored.map { id, bytes in
            var vote = try Vote(decoding: bytes)
            vote.name = NumberedName(dataset: name.dataset, .vote, id).description
            vote.example = name.description
            return vote
        }
    }

    /// The discussion of a row, oldest first.
    func adjudications(on example: Int64, named name: ExampleName) throws -> [Adjudication] {
        let stored = try rows(
            "SELECT id, message FROM adjudications WHERE example_id = ? ORDER BY id",
            .integer(example)
        ) { ($0.int64(0), $0.blob(1)) }
        return try stored.map { id, bytes in
            try Adjudication(decoding: bytes, id: id, on: name)
        }
    }

    /// The decisions that were not taken back, oldest first; the last one is in force.
    func standingDecisions(
        on example: Int64, named name: ExampleName, basis: Int64
    ) throws -> [StandingDecision] {
        let stored = try rows(
            """
            SELECT id, message, guidelines FROM adjudications
            WHERE example_id = ? AND basis_id = ? ORDER BY id
            """, .integer(example), .integer(basis)
        ) { ($0.int64(0), $0.blob(1), $0.text(2)) }
        var standing: [StandingDecision] = []
        for (id, bytes, guidelines) in stored {
            let record = try Adjudication(decoding: bytes, id: id, on: name)
            switch record.kind {
            case .decision:
                standing.append(StandingDecision(record: record, guidelines: guidelines))
            case .undo: standing.removeAll { $0.record.name == record.undone }
            default: break
            }
        }
        return standing
    }
}

/// A decision with the guidelines it was made under.
struct StandingDecision: Sendable {
    let record: Adjudication
    /// Their name; empty for none.
    let guidelines: String
}

extension Adjudication {
    fileprivate init(decoding bytes: Bytes, id: Int64, on name: ExampleName) throws {
        self = try Adjudication(decoding: bytes)
        self.name = NumberedName(dataset: name.dataset, .adjudication, id).description
        example = name.description
    }
}
