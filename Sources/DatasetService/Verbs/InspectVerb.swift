import Base
import Messages
import Operation
import RPC
import Resources

extension Verb {
    private static let partNames = InspectionPart.allKnown.dropFirst().map {
        $0.plainName.lowercased()
    }

    static let inspect = Verb(
        "inspect", "Check quality, duplicates and balance.", operands: "DATASET [VERSION]",
        options: [
            OptionSpec(
                "part", .list, "PART", from: .flag,
                "\(partNames.joined(separator: ", ")). Default: all."),
            OptionSpec("filter", .text, "FILTER", from: .flag, "Rows to look at, as AIP-160."),
            OptionSpec(
                "hash-distance", .integer(0...16), "BITS", from: .flag,
                "Bits in which near-duplicates may differ. Default: 6."),
            OptionSpec(
                "findings", .integer(0...Limits.findingsMax), "N", from: .flag,
                "Findings listed of each kind. Default: 100."),
            OptionSpec(
                "threshold", .list, "NAME=VALUE", from: .flag,
                "Another limit, such as dark=0.3."),
            OptionSpec(
                "scenario", .list, "KEY", from: .flag, "Attribute to count rows by, such as site."),
            OptionSpec("html", .text, "FILE", from: .flag, "Write a page with pictures too."),
        ] + datasetOptions,
        examples: [
            ("fovea-dataset inspect cells --html cells.html", "A table, and a page to look at.")
        ]
    ) { try await InspectVerb($0).run() }
}

/// `inspect`.
struct InspectVerb: Sendable {
    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let request = try request()
        let report = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.inspectDataset, request, options: options)
        }
        if let path = settings.text("html") { try report.html.write(toFile: path) }
        if verb.invocation.wantsJSON {
            verb.invocation.printJSON { InspectionText(report).write(&$0) }
        } else {
            verb.invocation.console.output(InspectionText(report).tables)
        }
        return .success
    }

    private func request() throws -> InspectDatasetRequest {
        var request = InspectDatasetRequest()
        request.name =
            verb.invocation.operands.count > 1 ? try verb.version(1) : try verb.dataset()
        for name in settings.list("part") {
            guard let part = InspectionPart(plainName: name), part != .unspecified else {
                let allowed = InspectionPart.allKnown.dropFirst().map { $0.plainName.lowercased() }
                throw DatasetError.invalid(
                    field: "--part", seen: name,
                    allowed: "allowed are \(allowed.joined(separator: ", "))")
            }
            request.parts.append(part)
        }
        request.filter = settings.text("filter") ?? ""
        request.hashDistanceMax = settings.integer("hash-distance").map { UInt32($0) }
        request.findingsMax = settings.integer("findings").map { UInt32($0) }
        for pair in settings.list("threshold") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let value = Double(parts[1]) else {
                throw DatasetError.invalid(
                    field: "--threshold", seen: pair, allowed: "NAME=NUMBER is allowed")
            }
            request.thresholds[parts[0]] = value
        }
        request.scenarioAttributes = settings.list("scenario")
        request.includeHtml = settings.has("html")
        return request
    }
}

/// A report as tables, and as JSON.
struct InspectionText {
    private let report: InspectDatasetResponse

    init(_ report: InspectDatasetResponse) { self.report = report }

    /// Tables for people; long lists are cut.
    var tables: String {
        var summary = TextTable("FIELD", "VALUE")
        for (name, value) in fields { summary.add(name, value) }
        var parts = [summary.text]
        if !report.balance.isEmpty {
            var table = TextTable("CLASS OR SCENARIO", "ROWS", "DISTINCT", "SHARE", "WANTED")
            for row in report.balance.prefix(50) {
                table.add(
                    row.key, "\(row.exampleCount)", "\(row.distinctCount)",
                    PageText.short(row.share), "\(row.wantedCount)")
            }
            parts.append(table.text)
        }
        if !report.quotas.isEmpty {
            var table = TextTable("TAG", "ROWS", "POINTS", "WANTED", "MET")
            for quota in report.quotas {
                table.add(
                    quota.tag, "\(quota.exampleCount)", "\(quota.shareBasisPoints)",
                    "\(quota.shareBasisPointsMin)-\(quota.shareBasisPointsMax)",
                    quota.met ? "yes" : "no")
            }
            parts.append(table.text)
        }
        return (parts + findingTables).joined(separator: "\n")
    }

    private var findingTables: [String] {
        var parts: [String] = []
        if !report.imageFindings.isEmpty {
            var table = TextTable("IMAGE OF ROW", "ISSUE", "SEEN", "LIMIT")
            for finding in report.imageFindings.prefix(20) {
                table.add(
                    finding.example, finding.issue.plainName.lowercased(),
                    PageText.short(finding.observed), PageText.short(finding.threshold))
            }
            parts.append(table.text)
        }
        if !report.duplicates.isEmpty {
            var table = TextTable("DUPLICATES", "ROWS", "BITS", "ANSWERS", "SUCH AS")
            for cluster in report.duplicates.prefix(20) {
                table.add(
                    "\(cluster.clusterID)", "\(cluster.exampleCount)", "\(cluster.distanceBits)",
                    cluster.answersConflict ? "differ" : "agree",
                    cluster.examples.prefix(2).joined(separator: " "))
            }
            parts.append(table.text)
        }
        if !report.answerFindings.isEmpty || !report.labelFindings.isEmpty {
            var table = TextTable("ANSWER OF ROW", "WHAT", "INSTEAD")
            for finding in report.answerFindings.prefix(20) {
                table.add(finding.example, finding.problem?.message ?? "", finding.suggestion)
            }
            for finding in report.labelFindings.prefix(20) {
                table.add(
                    finding.example, "right with probability \(PageText.short(finding.quality))",
                    finding.suggestedAnswer)
            }
            parts.append(table.text)
        }
        return parts
    }

    private var fields: [(String, String)] {
        var fields = [
            ("name", report.name), ("rows", "\(report.exampleCount)"),
            ("images", "\(report.imageCount)"),
            ("distinct_images", "\(report.distinctImageCount)"),
            ("duplicate_clusters", "\(report.duplicateClusterCount)"),
        ]
        fields += report.imageIssues.map { ($0.name, "\($0.itemCount)") }
        fields += [
            ("imbalance_ratio", PageText.short(report.imbalanceRatio)),
            ("answer_findings", "\(report.answerFindingCount)"),
            ("label_findings", "\(report.labelFindingCount)"),
        ]
        if let noise = report.labelNoise {
            fields.append(("label_noise", PageText.short(noise.value)))
        }
        if let size = report.size {
            fields.append(("size", size.verdict.plainName.lowercased()))
            fields.append(("advice", size.explanation))
        }
        return fields + [("quality_score", PageText.short(report.qualityScore))]
    }

    /// Members of a JSON object.
    func write(_ json: inout JSONText) {
        for (name, value) in fields { json.field(name, value) }
        json.key("balance")
        json.array { json in
            for row in report.balance {
                json.object { json in
                    json.member("key", row.key)
                    json.member("rows", Int(row.exampleCount))
                    json.member("distinct", Int(row.distinctCount))
                    json.member("wanted", Int(row.wantedCount))
                }
            }
        }
        json.key("quotas")
        json.array { json in
            for quota in report.quotas {
                json.object { json in
                    json.member("tag", quota.tag)
                    json.member("rows", Int(quota.exampleCount))
                    json.member("basis_points", Int(quota.shareBasisPoints))
                    json.member("met", quota.met)
                }
            }
        }
        writeFindings(&json)
    }

    private func writeFindings(_ json: inout JSONText) {
        json.key("image_findings")
        json.array { json in
            for finding in report.imageFindings {
                json.object { json in
                    json.member("example", finding.example)
                    json.member("image", Int(finding.imageIndex))
                    json.member("issue", finding.issue.plainName.lowercased())
                    json.member("score", finding.score)
                    json.member("observed", finding.observed)
                    json.member("threshold", finding.threshold)
                }
            }
        }
        json.key("duplicates")
        json.array { json in
            for cluster in report.duplicates {
                json.object { json in
                    json.member("rows", Int(cluster.exampleCount))
                    json.member("bits", Int(cluster.distanceBits))
                    json.member("answers_conflict", cluster.answersConflict)
                    json.key("examples")
                    json.array { json in for name in cluster.examples { json.value(name) } }
                }
            }
        }
        json.key("answers")
        json.array { json in
            for finding in report.answerFindings {
                json.object { json in
                    json.member("example", finding.example)
                    json.member("rule", finding.problem?.seen ?? "")
                    json.member("message", finding.problem?.message ?? "")
                    json.member("suggestion", finding.suggestion)
                }
            }
        }
        json.key("labels")
        json.array { json in
            for finding in report.labelFindings {
                json.object { json in
                    json.member("example", finding.example)
                    json.member("answer", finding.answer)
                    json.member("suggestion", finding.suggestedAnswer)
                    json.member("quality", finding.quality)
                }
            }
        }
    }
}
