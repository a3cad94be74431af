import Base
import Foundation
import Messages
import Operation
import RPC

extension Verb {
    static let agreement = Verb(
        "agreement", "Show how far annotators agree, and which number to trust.",
        operands: "DATASET",
        options: [
            OptionSpec("filter", .text, "FILTER", from: .flag, "Rows to look at, as AIP-160."),
            OptionSpec(
                "annotator", .list, "NAME", from: .flag, "Only votes of these. Default: all."),
            OptionSpec(
                "level", .number(0.500_001...0.999_999), "SHARE", standard: "0.95", from: .flag,
                "Probability of the intervals."),
            OptionSpec(
                "periods", .integer(1...100), "N", from: .flag, "Split time into so many periods."),
        ] + datasetOptions
    ) { try await AgreementVerb($0).run() }
}

/// `agreement`: a line for each thing that people agree on.
struct AgreementVerb: Sendable {
    private let verb: DatasetVerb

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let settings = verb.invocation.settings
        var request = GetAgreementRequest()
        request.name = try verb.dataset()
        request.filter = settings.text("filter") ?? ""
        request.annotators = settings.list("annotator")
        request.confidenceLevel = settings.number("level") ?? 0
        request.trendPeriods = UInt32(settings.integer("periods") ?? 0)
        let asked = request
        let found = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.getAgreement, asked, options: options)
        }
        if verb.invocation.wantsJSON { printJSON(found) } else { printTables(found) }
        return .success
    }

    /// Groups under a heading each.
    private func groups(_ found: GetAgreementResponse) -> [(kind: String, AgreementGroup)] {
        [("all", found.overall ?? AgreementGroup())]
            + found.classes.map { ("class", $0) } + found.fields.map { ("field", $0) }
            + found.pairs.map { ("pair", $0) }
            + found.annotators.map { ("annotator", $0.agreement ?? AgreementGroup()) }
            + found.trend.map { ("period", $0.agreement ?? AgreementGroup()) }
    }

    private func printTables(_ found: GetAgreementResponse) {
        var table = TextTable(
            "OF", "NAME", "ROWS", "VOTES", "PREVALENCE", "TRUST", "VALUE", "INTERVAL", "WHY")
        for (kind, group) in groups(found) {
            let trusted = group.coefficients.first { $0.statistic == group.trusted }
            let measure = trusted?.measure
            let interval = measure?.interval.map {
                "\(Self.short($0.lower)) to \(Self.short($0.upper))"
            }
            table.add(
                kind, group.key, "\(group.rowCount)", "\(group.voteCount)",
                Self.short(group.prevalence), group.trusted.plainName.lowercased(),
                measure.map { Self.short($0.value) } ?? "-", interval ?? "-", group.trustReason)
        }
        let console = verb.invocation.console
        console.output(table.text + "\n")
        var people = TextTable(
            "ANNOTATOR", "VOTES", "SKIPPED", "GOLD", "RECENT", "DRIFTING", "OVERRULED", "SECONDS")
        for person in found.annotators {
            people.add(
                person.annotator, "\(person.voteCount)", "\(person.skippedCount)",
                person.goldAccuracy.map { Self.short($0.value) } ?? "-",
                person.recentGoldAccuracy.map { Self.short($0.value) } ?? "-",
                person.drifting ? "yes" : "no", Self.short(person.overruledShare),
                person.leadSeconds.map { Self.short($0.mean) } ?? "-")
        }
        console.output(people.text)
        for confusion in found.confusions.prefix(10) {
            console.output(
                "\(confusion.pairCount) pairs of votes say \(confusion.firstAnswer) and"
                    + " \(confusion.secondAnswer)\n")
        }
        console.output(
            "complete rows: \(found.completeCount)\nopen rows: \(found.incompleteCount)\n"
                + "hours spent: \(Self.short(found.annotationHours))\n")
    }

    private func printJSON(_ found: GetAgreementResponse) {
        verb.invocation.printJSON { json in
            json.member("complete", Int(found.completeCount))
            json.member("incomplete", Int(found.incompleteCount))
            json.member("hours", found.annotationHours)
            json.key("groups")
            json.array { json in
                for (kind, group) in groups(found) {
                    json.object { Self.write(group, kind, &$0) }
                }
            }
            json.key("annotators")
            json.array { json in
                for person in found.annotators { json.object { Self.write(person, &$0) } }
            }
            json.key("confusions")
            json.array { json in
                for confusion in found.confusions {
                    json.object { json in
                        json.member("first", confusion.firstAnswer)
                        json.member("second", confusion.secondAnswer)
                        json.member("pairs", Int(confusion.pairCount))
                    }
                }
            }
        }
    }

    private static func write(_ group: AgreementGroup, _ kind: String, _ json: inout JSONText) {
        json.member("of", kind)
        json.member("name", group.key)
        json.member("rows", Int(group.rowCount))
        json.member("votes", Int(group.voteCount))
        json.member("prevalence", group.prevalence)
        json.member("trusted", group.trusted.plainName.lowercased())
        json.member("why", group.trustReason)
        json.key("coefficients")
        json.object { json in
            for coefficient in group.coefficients {
                json.key(coefficient.statistic.plainName.lowercased())
                json.object { json in
                    guard let measure = coefficient.measure else {
                        return json.member("undefined", coefficient.undefinedReason)
                    }
                    json.member("value", measure.value)
                    guard let interval = measure.interval else { return }
                    json.member("lower", interval.lower)
                    json.member("upper", interval.upper)
                    json.member("method", interval.method)
                }
            }
        }
    }

    private static func write(_ person: AnnotatorReport, _ json: inout JSONText) {
        json.member("annotator", person.annotator)
        json.member("votes", Int(person.voteCount))
        json.member("skipped", Int(person.skippedCount))
        if let gold = person.goldAccuracy { json.member("gold_accuracy", gold.value) }
        if let recent = person.recentGoldAccuracy {
            json.member("recent_gold_accuracy", recent.value)
        }
        json.member("drifting", person.drifting)
        json.member("overruled_share", person.overruledShare)
        if let seconds = person.leadSeconds { json.member("lead_seconds_mean", seconds.mean) }
    }

    static func short(_ value: Double) -> String { String(format: "%.3f", value) }
}
