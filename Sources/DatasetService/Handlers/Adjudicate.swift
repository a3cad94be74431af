import Base
import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `Adjudicate`: the record, what it does to the row and a rule made of it are one change.
    func adjudicate(
        _ request: AdjudicateRequest, by caller: Principal
    ) async throws -> AdjudicateResponse {
        let name = try ExampleName(request.example, field: "example")
        guard let record = request.adjudication else {
            throw DatasetError.required(field: "adjudication")
        }
        try VoteRules.check(record)
        guard request.promoteToRule == nil || record.kind == .decision else {
            throw DatasetError.fieldsConflict(
                "only a decision becomes a rule", fields: ["promote_to_rule", "adjudication.kind"])
        }
        let review = try await review(request, name)
        let (cache, now) = (answerRules, clock())
        return try await once(request.requestID, request) { db in
            let table = try AdjudicationTable(name, db)
            try table.check(request, try cache.rules(of: table.dataset, db))
            var response = AdjudicateResponse()
            response.adjudication = try table.add(request, by: caller.name, at: now)
            if let rule = request.promoteToRule, let stored = response.adjudication {
                response.guidelines = try table.promote(rule, from: stored, by: caller.name, now)
                response.reviewExamples = review.names
                response.reviewCount = review.count
            }
            response.state = try db.settle(table.example, of: table.dataset, at: now)
            return response
        }
    }

    /// Rows that a rule may concern: with one of the answers that this row's votes or the rule
    /// give, where answers are classes; else all that were decided before.
    private func review(
        _ request: AdjudicateRequest, _ name: ExampleName
    ) async throws -> (names: [String], count: UInt64) {
        guard let rule = request.promoteToRule, let record = request.adjudication else {
            return ([], 0)
        }
        return try await scanner.read { db in
            let table = try AdjudicationTable(name, db)
            let isClasses = table.dataset.stored.task == .classification
            let answers = Set(table.votes.map(\.answer) + [record.answer, rule.answer])
            var (names, count) = ([String](), UInt64(0))
            try DecidedRows(dataset: table.dataset, db: db).forEach { row in
                guard row.name != name, !isClasses || answers.contains(row.answer) else { return }
                count += 1
                if names.count < Limits.reviewRowsMax { names.append(row.name.description) }
            }
            return (names, count)
        }
    }
}

/// A row that is discussed.
private struct AdjudicationTable {
    let name: ExampleName
    let dataset: DatasetRecord
    let example: Int64
    let votes: [Vote]
    private let basis: Int64
    private let row: Example
    private let records: [Adjudication]
    private let standing: [StandingDecision]
    private let db: Connection

    init(_ name: ExampleName, _ db: Connection) throws {
        (self.name, self.db) = (name, db)
        guard let (dataset, record) = try db.example(name) else {
            throw DatasetError.notFound(type: "fovea.dataset.v1.Example", name: "\(name)")
        }
        guard record.payload != nil else { throw DatasetError.erased(name: "\(name)") }
        (self.dataset, example) = (dataset, record.id)
        row = try record.message(dataset.name)
        let basis = try db.first(
            "SELECT basis_id FROM examples WHERE id = ?", .integer(record.id)
        ) { $0.int64(0) }
        guard let basis else { throw StorageError.corrupt(what: "a row without content") }
        self.basis = basis
        votes = try db.standingVotes(on: record.id, named: name, basis: basis)
        records = try db.adjudications(on: record.id, named: name)
        standing = try db.standingDecisions(on: record.id, named: name, basis: basis)
    }

    func check(_ request: AdjudicateRequest, _ rules: AnswerRules) throws {
        guard !votes.isEmpty else {
            throw DatasetError.badState(
                name: "\(name)", why: "it has no votes; 1 or more are needed to decide between")
        }
        let last = records.last?.name ?? ""
        guard request.lastSeen.isEmpty || request.lastSeen == last else {
            throw DatasetError.changed(
                name: "the discussion of \(name)", seen: request.lastSeen, present: last)
        }
        let record = request.adjudication ?? Adjudication()
        if record.kind == .undo {
            let present = standing.last?.record.name
            guard record.undone == present else {
                let why =
                    present.map { "the decision in force is \($0)" } ?? "no decision is in force"
                throw DatasetError.badState(
                    name: "\(name)", why: "\(record.undone.shortened) cannot be undone: \(why)")
            }
        }
        guard record.kind == .decision else { return }
        try rules.check(record.answer, field: "adjudication.answer")
        try VoteRules.check(
            record.regions, in: row, field: "adjudication")
        try checkRule(request, record, rules)
    }

    private func checkRule(
        _ request: AdjudicateRequest, _ record: Adjudication, _ rules: AnswerRules
    ) throws {
        if let rule = request.promoteToRule {
            try GuidelinesRules(dataset: dataset).check(rule, "promote_to_rule", rules)
            try db.checkExamples(of: rule)
            guard record.ruleID.isEmpty || record.ruleID == rule.ruleID else {
                throw DatasetError.fieldsConflict(
                    "rule_id is another one than that of the rule promoted",
                    fields: ["adjudication.rule_id", "promote_to_rule.rule_id"])
            }
        } else if !record.ruleID.isEmpty {
            let known = try db.guidelines(of: dataset)?.rules.map(\.ruleID) ?? []
            guard known.contains(record.ruleID) else {
                let names = known.prefix(20).joined(separator: ", ")
                throw DatasetError.invalid(
                    field: "adjudication.rule_id", seen: record.ruleID,
                    allowed: known.isEmpty ? "there are no rules yet" : "\(names) are allowed")
            }
        }
    }

    /// Adds the record to the discussion; nothing that is there changes.
    func add(
        _ request: AdjudicateRequest, by author: String, at now: Int64
    ) throws -> Adjudication {
        var stored = request.adjudication ?? Adjudication()
        (stored.name, stored.example, stored.author) = ("", "", author)
        if let rule = request.promoteToRule { stored.ruleID = rule.ruleID }
        stored.createTime = .init(nanoseconds: now)
        // A decision that becomes a rule is made under the guidelines that have it.
        let revision = Verdict.revision(dataset.stored.guidelines)
        let guidelines =
            request.promoteToRule == nil
            ? dataset.stored.guidelines
            : NumberedName(dataset: name.dataset, .guidelines, Int64(revision + 1)).description
        try db.run(
            """
            INSERT INTO adjudications(example_id, basis_id, kind, guidelines, message, create_ns)
            VALUES(?, ?, ?, ?, ?, ?)
            """, .integer(example), .integer(basis), SQLValue(Int(stored.kind.rawValue)),
            .text(guidelines), .blob(try stored.encoded()), .integer(now))
        stored.name = NumberedName(dataset: name.dataset, .adjudication, db.lastKey).description
        stored.example = name.description
        return stored
    }

    /// Puts guidelines with the rule; one of the same id is replaced.
    func promote(
        _ rule: GuidelineRule, from record: Adjudication, by author: String, _ now: Int64
    ) throws -> Guidelines {
        var guidelines = try db.guidelines(of: dataset) ?? Guidelines()
        var rule = rule
        rule.adjudication = record.name
        if rule.answer.isEmpty { rule.answer = record.answer }
        if !rule.examples.contains(record.example) { rule.examples.append(record.example) }
        if let place = guidelines.rules.firstIndex(where: { $0.ruleID == rule.ruleID }) {
            guidelines.rules[place] = rule
        } else if guidelines.rules.count < Limits.rulesMax {
            guidelines.rules.append(rule)
        } else {
            throw DatasetError.invalid(
                field: "promote_to_rule", seen: "rule \(guidelines.rules.count + 1)",
                allowed: "at most \(Limits.rulesMax) rules are allowed")
        }
        guidelines.changeNote = "Rule \(rule.ruleID), from \(record.name)."
        return try db.put(guidelines, to: dataset, by: author, at: now)
    }
}
