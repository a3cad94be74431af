import Base
import Messages
import Operation
import RPC
import Resources

extension Verb {
    static let disagreements = Verb(
        "disagreements", "List rows whose votes differ, side by side.", operands: "DATASET",
        options: [
            OptionSpec(
                "state", .choice(["open", "decided", "reopened"]), "STATE", from: .flag,
                "Default: open and reopened."),
            OptionSpec(
                "filter", .text, "FILTER", from: .flag,
                "AIP-160 over answer, annotator, pointer, tags, majority_share, create_time."),
            OptionSpec(
                "order-by", .text, "FIELD", from: .flag,
                "majority_share or create_time, with or without ' desc'."),
            OptionSpec("limit", .integer(1...1_000), "ROWS", standard: "50", from: .flag, "Most."),
        ] + datasetOptions
    ) { try await AdjudicateVerb($0).list() }

    static let adjudicate = Verb(
        "adjudicate", "Decide where annotators differ, comment, or take a decision back.",
        operands: "DATASET ROW",
        options: [
            OptionSpec("answer", .text, "TEXT", from: .flag, "Decide: the answer of the row."),
            OptionSpec("undo", .text, "NAME", from: .flag, "Take this decision back."),
            OptionSpec(
                "reason", .text, "TEXT", from: .flag,
                "Why, or the remark. Required; alone, it is"
                    + " a comment."),
            OptionSpec("rule", .text, "ID", from: .flag, "The rule of the guidelines it follows."),
            OptionSpec("dissenter", .list, "NAME", from: .flag, "Who stays of another opinion."),
            OptionSpec("tag", .list, "TAG", from: .flag, "A tag for the row."),
            OptionSpec("gold", .flag, from: .flag, "Make it a gold row."),
            OptionSpec("promote", .text, "ID", from: .flag, "Make the decision a rule of this id."),
            OptionSpec("rule-text", .text, "TEXT", from: .flag, "The rule in words."),
            OptionSpec(
                "last-seen", .text, "NAME", from: .flag,
                "Fail if the discussion went on since this record."),
        ] + datasetOptions,
        examples: [
            (
                "fovea-dataset adjudicate pets r7 --answer dog --reason 'Ears hang.'"
                    + " --dissenter ann",
                "Decided, with ann's dissent."
            ),
            (
                "fovea-dataset adjudicate pets r7 --answer dog --reason 'Ears hang.'"
                    + " --promote hanging-ears --rule-text 'Hanging ears are a dog.'",
                "Decided, and a rule from now on."
            ),
        ]
    ) { try await AdjudicateVerb($0).adjudicate() }
}

/// `disagreements` and `adjudicate`.
struct AdjudicateVerb: Sendable {
    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func list() async throws -> Verb.Outcome {
        var request = ListDisagreementsRequest()
        request.parent = try verb.dataset()
        request.state = settings.text("state").flatMap { .init(plainName: $0) } ?? .unspecified
        request.filter = settings.text("filter") ?? ""
        request.orderBy = settings.text("order-by") ?? ""
        request.pageSize = UInt32(settings.integer("limit") ?? 50)
        let asked = request
        let page = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.listDisagreements, asked, options: options)
        }
        if verb.invocation.wantsJSON {
            for item in page.disagreements { verb.invocation.printJSON { Self.write(item, &$0) } }
            return .success
        }
        var table = TextTable("ROW", "STATE", "MAJORITY", "SHARE", "VOTES", "DIFFERS AT", "RECORDS")
        for item in page.disagreements {
            let votes = item.votes.map { "\($0.annotator)=\($0.skipped ? "(skipped)" : $0.answer)" }
            table.add(
                item.example, item.state.plainName.lowercased(), item.majorityAnswer,
                AgreementVerb.short(item.majorityShare), votes.joined(separator: " | "),
                item.differingPointers.joined(separator: " "), "\(item.adjudications.count)")
        }
        verb.invocation.console.output(table.text)
        verb.invocation.console.complain("\(page.openCount) rows wait for a decision")
        return .success
    }

    private static func write(_ item: Disagreement, _ json: inout JSONText) {
        json.member("row", item.example)
        json.member("state", item.state.plainName.lowercased())
        json.member("majority_answer", item.majorityAnswer)
        json.member("majority_share", item.majorityShare)
        json.key("differing_pointers")
        json.array { json in for pointer in item.differingPointers { json.value(pointer) } }
        json.key("votes")
        json.array { json in
            for vote in item.votes {
                json.object { json in
                    json.member("name", vote.name)
                    json.member("annotator", vote.annotator)
                    json.member("answer", vote.answer)
                    json.member("skipped", vote.skipped)
                    json.member("comment", vote.comment)
                    json.member("guidelines", vote.guidelines)
                }
            }
        }
        json.key("adjudications")
        json.array { json in
            for record in item.adjudications { json.object { write(record, &$0) } }
        }
    }

    private static func write(_ record: Adjudication, _ json: inout JSONText) {
        json.member("name", record.name)
        json.member("kind", record.kind.plainName.lowercased())
        json.member("author", record.author)
        json.member("answer", record.answer)
        json.member("reason", record.reason)
        json.member("rule", record.ruleID)
        json.member("undone", record.undone)
        json.key("dissenters")
        json.array { json in for name in record.dissenters { json.value(name) } }
    }

    func adjudicate() async throws -> Verb.Outcome {
        let request = try request()
        let response = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.adjudicate, request, options: options)
        }
        let record = response.adjudication ?? Adjudication()
        var fields = [
            ("record", record.name), ("row", record.example),
            ("kind", record.kind.plainName.lowercased()),
            ("state", response.state.plainName.lowercased()),
        ]
        if let guidelines = response.guidelines {
            fields += [
                ("guidelines", guidelines.name), ("rows_to_review", "\(response.reviewCount)"),
                ("review", response.reviewExamples.prefix(20).joined(separator: " ")),
            ]
        }
        verb.printOne(fields)
        return .success
    }

    private func request() throws(UsageError) -> AdjudicateRequest {
        let dataset = try verb.operand(0, "DATASET")
        let row = ExampleName(dataset: dataset, rowID: try verb.operand(1, "ROW"))
        guard let reason = settings.text("reason") else {
            throw .missing(option: "--reason", why: "a record without a reason helps nobody later")
        }
        var record = Adjudication()
        record.reason = reason
        record.kind = settings.has("answer") ? .decision : settings.has("undo") ? .undo : .comment
        guard !(settings.has("answer") && settings.has("undo")) else {
            throw .conflict("--answer decides and --undo takes back; give one of them")
        }
        (record.answer, record.undone) = (
            settings.text("answer") ?? "", settings.text("undo") ?? ""
        )
        record.ruleID = settings.text("rule") ?? ""
        (record.dissenters, record.tags) = (settings.list("dissenter"), settings.list("tag"))
        record.makeGold = settings.flag("gold")
        var request = AdjudicateRequest()
        (request.example, request.adjudication) = (row.description, record)
        request.lastSeen = settings.text("last-seen") ?? ""
        if let id = settings.text("promote") {
            request.promoteToRule = .with {
                ($0.ruleID, $0.text) = (id, settings.text("rule-text") ?? reason)
            }
        }
        return request
    }
}
