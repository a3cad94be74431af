import Base
import Messages
import RPC
import Resources
import Storage

extension Catalogue {
    /// `PutGuidelines`: checks the text, then every decided row against it, then stores it.
    func put(
        _ request: PutGuidelinesRequest, by caller: Principal
    ) async throws -> PutGuidelinesResponse {
        let name = try DatasetName(request.parent, field: "parent")
        guard let asked = request.guidelines else {
            throw DatasetError.required(field: "guidelines")
        }
        // Looking at all rows takes long: it is done before, on a state that may be a little older.
        let effect = try await scanner.read { db in
            let dataset = try db.dataset(name)
            let (_, rules) = try GuidelinesRules(dataset: dataset).checked(
                asked, present: try db.guidelines(of: dataset))
            return try GuidelinesEffect(of: rules, on: DecidedRows(dataset: dataset, db: db))
        }
        let now = clock()
        let store: @Sendable (Connection) throws -> PutGuidelinesResponse = { db in
            let dataset = try db.dataset(name)
            let present = try db.guidelines(of: dataset)
            guard request.baseRevision == present?.revision ?? 0 else {
                throw DatasetError.changed(
                    name: "guidelines of \(name)", seen: "\(request.baseRevision)",
                    present: "\(present?.revision ?? 0)")
            }
            let (checked, _) = try GuidelinesRules(dataset: dataset).checked(
                asked, present: present)
            for rule in checked.rules { try db.checkExamples(of: rule) }
            var response = PutGuidelinesResponse()
            response.guidelines = try db.put(checked, to: dataset, by: caller.name, at: now)
            response.violatingCount = effect.violatingCount
            response.outdatedCount = effect.decidedCount
            response.violatingExamples = effect.violating
            return response
        }
        if request.validateOnly { return try await writer.undone(store) }
        return try await once(request.requestID, request, store)
    }
}

/// What new guidelines mean for rows decided before. All of those are under an older revision.
private struct GuidelinesEffect: Sendable {
    private(set) var decidedCount: UInt64 = 0
    private(set) var violatingCount: UInt64 = 0
    /// The first of them.
    private(set) var violating: [String] = []

    init(of rules: AnswerRules, on rows: DecidedRows) throws {
        // Answers repeat, above all classes: each is checked once.
        var verdicts: [String: Bool] = [:]
        try rows.forEach { row in
            decidedCount += 1
            let isRefused = verdicts[row.answer] ?? !rules.refusals(of: row.answer).isEmpty
            if verdicts.count < Limits.classesMax { verdicts[row.answer] = isRefused }
            guard isRefused else { return }
            violatingCount += 1
            if violating.count < Limits.violatingRowsMax {
                violating.append(row.name.description)
            }
        }
    }
}

extension Connection {
    /// Rows that show a rule must be there.
    func checkExamples(of rule: GuidelineRule) throws {
        for text in rule.examples {
            let name = try ExampleName(text, field: "rule.examples")
            guard try example(name) != nil else {
                throw DatasetError.notFound(type: "fovea.dataset.v1.Example", name: text)
            }
        }
    }
}
