import Base
import Messages
import Operation
import RPC
import Resources
import Text

extension Verb {
    static let guidelines = Verb(
        "guidelines", "Show the guidelines of a dataset, or put new ones.", operands: "DATASET",
        options: [
            OptionSpec(
                "revision", .integer(1...Int(UInt32.max)), "N", from: .flag,
                "Show this one. Default: the one in force."),
            OptionSpec("markdown", .text, "FILE", from: .flag, "New text for people."),
            OptionSpec(
                "rules", .text, "FILE", from: .flag,
                "New parts for programs: a JSON object with rules (id, text, answer, examples),"
                    + " vocabulary (term, discouraged, definition), json_schema and"
                    + " answer_patterns."),
            OptionSpec("note", .text, "TEXT", from: .flag, "What changed."),
            OptionSpec(
                "base", .integer(0...Int(UInt32.max)), "N", from: .flag,
                "Revision that the new ones are based on. Default: the one in force."),
            OptionSpec("validate-only", .flag, from: .flag, "Check and count, keep nothing."),
        ] + datasetOptions,
        examples: [
            (
                "fovea-dataset guidelines pets --markdown rules.md --rules rules.json"
                    + " --note 'Terms fixed.'",
                "A new revision; what is not given stays as it is."
            )
        ]
    ) { try await GuidelinesVerb($0).run() }
}

/// `guidelines`.
struct GuidelinesVerb: Sendable {
    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let changes = settings.has("markdown") || settings.has("rules")
        return changes ? try await put() : try await show()
    }

    private func present(_ client: Client, revision: UInt32) async throws -> Guidelines? {
        let name = try verb.dataset()
        let dataset = try await client.call(
            Datasets.getDataset, .with { $0.name = name }, options: verb.options)
        // Without any there is nothing to ask for.
        guard revision > 0 || !dataset.guidelines.isEmpty else { return nil }
        return try await client.call(
            Datasets.getDataset, .with { ($0.name, $0.guidelinesRevision) = (name, revision) },
            options: verb.options
        ).guidelinesContent
    }

    private func show() async throws -> Verb.Outcome {
        let revision = UInt32(settings.integer("revision") ?? 0)
        let found = try await verb.invocation.withClient { client in
            try await present(client, revision: revision)
        }
        guard let found else {
            throw ImportError.malformed(try verb.dataset(), why: "it has no guidelines yet")
        }
        if verb.invocation.wantsJSON {
            verb.invocation.printJSON { Self.write(found, &$0) }
            return .success
        }
        let console = verb.invocation.console
        console.output("revision \(found.revision) by \(found.author): \(found.changeNote)\n")
        console.output(found.markdown + "\n")
        for rule in found.rules { console.output("\(rule.ruleID): \(rule.text)\n") }
        for term in found.vocabulary {
            console.output("\(term.term), not \(term.discouraged.joined(separator: ", "))\n")
        }
        return .success
    }

    private func put() async throws -> Verb.Outcome {
        let response = try await verb.invocation.withClient { client in
            let old = try await present(client, revision: 0)
            var request = PutGuidelinesRequest()
            request.parent = try verb.dataset()
            request.baseRevision = settings.integer("base").map { UInt32($0) } ?? old?.revision ?? 0
            request.guidelines = try changed(old ?? Guidelines())
            request.validateOnly = settings.flag("validate-only")
            return try await client.call(
                Datasets.putGuidelines, request, options: verb.options)
        }
        verb.printOne([
            ("guidelines", response.guidelines?.name ?? ""),
            ("outdated_rows", "\(response.outdatedCount)"),
            ("violating_rows", "\(response.violatingCount)"),
            ("violating", response.violatingExamples.prefix(20).joined(separator: " ")),
        ])
        return .success
    }

    private func changed(_ old: Guidelines) throws(ImportError) -> Guidelines {
        var new = old
        new.changeNote = settings.text("note") ?? ""
        if let path = settings.text("markdown") {
            new.markdown = try Self.text(path, bytesMax: Limits.markdownBytesMax)
        }
        guard let path = settings.text("rules") else { return new }
        let text = try Self.text(path, bytesMax: 4 << 20)
        let root: JSONNode
        do throws(JSONError) {
            root = try JSONDocument(text.utf8).root
        } catch {
            throw .malformed(path, why: "\(error.why) at byte \(error.offset)")
        }
        if let rules = root["rules"] { new.rules = rules.elements.map(Self.rule) }
        if let terms = root["vocabulary"] { new.vocabulary = terms.elements.map(Self.term) }
        if let schema = root["json_schema"] { new.jsonSchema = schema.string ?? schema.source }
        if let patterns = root["answer_patterns"] {
            new.answerPatterns = patterns.elements.compactMap(\.string)
        }
        return new
    }

    private static func text(_ path: String, bytesMax: Int) throws(ImportError) -> String {
        switch SmallFile.read(path, bytesMax: bytesMax + 1) {
        case .success(let bytes):
            guard let text = bytes.text else { throw .malformed(path, why: "it is not UTF-8") }
            return text
        case .failure(let error): throw .unreadable(path, why: error.words)
        }
    }

    private static func rule(_ node: JSONNode) -> GuidelineRule {
        var rule = GuidelineRule()
        rule.ruleID = node["id"]?.string ?? ""
        rule.text = node["text"]?.string ?? ""
        rule.answer = node["answer"]?.string ?? ""
        rule.examples = node["examples"]?.elements.compactMap(\.string) ?? []
        return rule
    }

    private static func term(_ node: JSONNode) -> VocabularyTerm {
        var term = VocabularyTerm()
        term.term = node["term"]?.string ?? ""
        term.discouraged = node["discouraged"]?.elements.compactMap(\.string) ?? []
        term.definition = node["definition"]?.string ?? ""
        return term
    }

    private static func write(_ guidelines: Guidelines, _ json: inout JSONText) {
        json.member("name", guidelines.name)
        json.member("revision", Int(guidelines.revision))
        json.member("author", guidelines.author)
        json.member("change_note", guidelines.changeNote)
        json.member("markdown", guidelines.markdown)
        json.key("rules")
        json.array { json in
            for rule in guidelines.rules {
                json.object { json in
                    json.member("id", rule.ruleID)
                    json.member("text", rule.text)
                    json.member("answer", rule.answer)
                    json.member("adjudication", rule.adjudication)
                    texts("examples", rule.examples, &json)
                }
            }
        }
        json.key("vocabulary")
        json.array { json in
            for term in guidelines.vocabulary {
                json.object { json in
                    json.member("term", term.term)
                    json.member("definition", term.definition)
                    texts("discouraged", term.discouraged, &json)
                }
            }
        }
        json.member("json_schema", guidelines.jsonSchema)
        texts("answer_patterns", guidelines.answerPatterns, &json)
    }

    private static func texts(_ key: String, _ values: [String], _ json: inout JSONText) {
        json.key(key)
        json.array { json in for value in values { json.value(value) } }
    }
}
