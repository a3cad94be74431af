import Base
import Foundation
import Messages
import Operation
import RPC
import Resources

extension Verb {
    private static let measureOptions = [
        OptionSpec("model", .text, "MODEL", from: .flag, "A registered model. Required."),
        OptionSpec(
            "dataset", .text, "DATASET[/VERSION]", from: .flag,
            "What to ask; the newest version if none is named. Required."),
        OptionSpec("id", .text, "JOB", from: .flag, "Name of the job."),
        OptionSpec("rows", .integer(1...1_000_000), "N", from: .flag, "Most rows. Default: all."),
        OptionSpec(
            "max-tokens", .integer(1...1 << 20), "N", from: .flag,
            "The longest answer. Default: 512."),
        OptionSpec("seed", .integer(0...Int.max), "N", standard: "0", from: .flag, "Seed."),
        OptionSpec("watch", .flag, from: .flag, "Follow the job to its end."),
        OptionSpec(
            "report", .text, "FILE", from: .flag,
            "Follow the job and write its page of HTML there."),
        OptionSpec(
            "robustness", .flag, from: .flag, "Also ask under the dataset's augmentations."),
        OptionSpec(
            "slice", .list, "NAME", from: .flag,
            "Rows alike, such as width or attributes.KEY; repeat it. Default: size, sharpness,"
                + " tags."),
        OptionSpec(
            "abstain-below", .number(0...1), "CONFIDENCE", from: .flag,
            "Hand less confident answers to a person."),
    ]

    static let baseline = Verb(
        "baseline", "Measure a model before training.",
        options: measureOptions + [
            OptionSpec(
                "shots", .list, "N", from: .flag, "Shots to try; repeat it. Default: 0 and 3."),
            OptionSpec("nearest", .flag, from: .flag, "Show the rows with the nearest images."),
            OptionSpec(
                "constrained", .flag, from: .flag, "Also choose answers among the classes."),
            OptionSpec(
                "repeats", .integer(0...20), "N", from: .flag,
                "Times that each question is asked again."),
        ] + trainerOptions
    ) { try await MeasureVerb($0).baseline() }

    static let evaluate = Verb(
        "evaluate", "Measure an adapter or a model.",
        options: measureOptions + [
            OptionSpec("adapter", .text, "JOB/CHECKPOINT", from: .flag, "Such as j1/best."),
            OptionSpec(
                "split", .choice(["test", "validation", "train"]), "SPLIT", standard: "test",
                from: .flag, "Which rows."),
            OptionSpec(
                "base-format", .choice(["nf4", "int8", "int4"]), "FORMAT", from: .flag,
                "What the base is loaded in; nf4 for adapters that QLoRA trained. Default: as"
                    + " stored."),
            OptionSpec(
                "compare-with", .text, "JOB", from: .flag,
                "A measured job. Default: the newest baseline."),
        ] + trainerOptions
    ) { try await MeasureVerb($0).evaluate() }

    static let compare = Verb(
        "compare", "Compare two evaluations on the same rows.", operands: "JOB JOB",
        options: trainerOptions,
        examples: [("fovea-trainer compare base after", "What tuning changed, and by how much.")]
    ) { try await MeasureVerb($0).compare() }

    static let advise = Verb(
        "advise", "Say whether tuning is worth it.", operands: "DATASET[/VERSION]",
        options: [
            OptionSpec("model", .text, "MODEL", from: .flag, "A registered model."),
            OptionSpec("target", .number(0...1), "SCORE", from: .flag, "Score to reach."),
        ] + trainerOptions
    ) { try await MeasureVerb($0).advise() }
}

/// `baseline`, `evaluate`, `compare` and `advise`.
struct MeasureVerb: Sendable {
    private let verb: TrainerVerb
    private var invocation: Invocation { verb.invocation }
    private var settings: Settings { invocation.settings }

    init(_ invocation: Invocation) { verb = TrainerVerb(invocation) }

    func baseline() async throws -> Verb.Outcome {
        var spec = BaselineSpec()
        spec.model = "models/\(try required("model"))"
        spec.datasetVersion = VersionWords.name(try required("dataset"))
        spec.shotCounts = try settings.list("shots").map { (text) throws(UsageError) in
            guard let count = UInt32(text) else {
                throw .badValue(
                    source: settings.source("shots"), seen: text,
                    allowed: "a whole number is allowed")
            }
            return count
        }
        (spec.seed, spec.measuring) = (UInt64(settings.integer("seed") ?? 0), measuring)
        if settings.flag("nearest") { spec.shotSelection = .nearestImage }
        spec.tryConstrained = settings.flag("constrained")
        spec.repeatCount = UInt32(clamping: settings.integer("repeats") ?? 0)
        return try await run(.baseline(spec))
    }

    func evaluate() async throws -> Verb.Outcome {
        var spec = EvaluateSpec()
        spec.target = .with { $0.model = "models/\(settings.text("model") ?? "")" }
        _ = try required("model")
        if let words = settings.text("adapter")?.split(separator: "/"), words.count == 2 {
            spec.target?.adapter = "jobs/\(words[0])/checkpoints/\(words[1])"
        }
        switch settings.text("base-format") {
        case "nf4": spec.target?.baseWeightFormat = .nf4
        case "int8": spec.target?.baseWeightFormat = .int8
        case "int4": spec.target?.baseWeightFormat = .int4
        default: break
        }
        spec.datasetVersion = VersionWords.name(try required("dataset"))
        (spec.split, spec.measuring) = (settings.text("split") ?? "test", measuring)
        spec.seed = UInt64(settings.integer("seed") ?? 0)
        if let job = settings.text("compare-with") {
            spec.compareWith = "jobs/\(job)/evaluations/main"
        }
        return try await run(.evaluate(spec))
    }

    private var measuring: MeasuringSpec {
        .with {
            $0.rowsMax = UInt32(clamping: settings.integer("rows") ?? 0)
            $0.sampling = .with {
                $0.tokensMax = UInt32(clamping: settings.integer("max-tokens") ?? 0)
            }
            ($0.robustness, $0.slices) = (settings.flag("robustness"), settings.list("slice"))
            $0.abstainConfidence = settings.number("abstain-below") ?? 0
        }
    }

    private func required(_ option: String) throws(UsageError) -> String {
        guard let text = settings.text(option) else {
            throw .missing(option: "--\(option)", why: "measuring needs it")
        }
        return text
    }

    private func run(_ work: JobSpec.Work) async throws -> Verb.Outcome {
        var request = CreateJobRequest()
        request.jobID = settings.text("id") ?? ""
        request.requestID = UUID().uuidString
        request.spec = .with { $0.work = work }
        let report = settings.text("report")
        guard settings.flag("watch") || report != nil else {
            return try await verb.create(request)
        }
        return try await invocation.withClient { [verb, invocation, request] client in
            let job = try await client.call(Training.createJob, request, options: verb.options)
            let state = try await WatchVerb(invocation).follow(job.name, after: 0, client)
            guard state == .succeeded else { return .failure }
            let answer = try await client.call(
                Training.getEvaluation, .with { $0.name = "\(job.name)/evaluations/main" },
                options: verb.options)
            MeasureTable(answer.evaluation ?? Evaluation()).show(invocation)
            if let report { try await ReportFile(job.name, report).write(client) }
            return .success
        }
    }

    func compare() async throws -> Verb.Outcome {
        let names = try [0, 1].map { (index) throws(UsageError) in
            "jobs/\(try invocation.operand(index, "JOB"))/evaluations/main"
        }
        let answer = try await invocation.withClient { [verb] client in
            try await client.call(
                Training.compareEvaluations,
                .with { ($0.baseline, $0.candidates) = (names[0], [names[1]]) },
                options: verb.options)
        }
        let comparison = answer.comparisons.first ?? EvaluationComparison()
        var table = TextTable("METRIC", "BEFORE", "AFTER", "CHANGE", "FROM", "TO", "P")
        for metric in comparison.metrics {
            let interval = metric.change?.interval
            table.add(
                metric.baseline?.name ?? "", "\(metric.baseline?.value ?? 0)",
                "\(metric.candidate?.value ?? 0)", "\(metric.change?.value ?? 0)",
                interval.map { "\($0.lower)" } ?? "", interval.map { "\($0.upper)" } ?? "",
                "\(metric.pValue)")
        }
        let items = comparison.metrics.map { metric in
            [
                ("metric", metric.baseline?.name ?? ""),
                ("before", "\(metric.baseline?.value ?? 0)"),
                ("after", "\(metric.candidate?.value ?? 0)"),
                ("change", "\(metric.change?.value ?? 0)"), ("p_value", "\(metric.pValue)"),
                ("test", metric.test), ("significant", "\(metric.significant)"),
            ]
        }
        invocation.printResults(items, table)
        if !invocation.wantsJSON {
            invocation.console.output(
                "\(comparison.gainedCount) rows gained, \(comparison.lostCount) lost, of"
                    + " \(answer.rowCount)\n")
        }
        return .success
    }

    func advise() async throws -> Verb.Outcome {
        var request = AdviseTuningRequest()
        request.datasetVersion = VersionWords.name(
            try invocation.operand(0, "DATASET[/VERSION]"))
        if let model = settings.text("model") { request.model = "models/\(model)" }
        request.targetScore = settings.number("target")
        let answer = try await invocation.withClient { [verb, request] client in
            try await client.call(Training.adviseTuning, request, options: verb.options)
        }
        var table = TextTable("RULE", "POINTS", "WHY")
        let items = answer.evidence.map { fact in
            [
                ("rule", fact.rule), ("points", fact.direction.plainName.lowercased()),
                ("why", fact.explanation),
            ]
        }
        for item in items { table.add(item[0].1, item[1].1, item[2].1) }
        if !invocation.wantsJSON { invocation.console.output(answer.summary + "\n") }
        invocation.printResults(
            [[("verdict", answer.verdict.plainName), ("summary", answer.summary)]] + items, table)
        return .success
    }
}

/// How people write a version.
enum VersionWords {
    /// `cells/3`, or `cells` for the newest.
    static func name(_ text: String) -> String {
        let words = text.split(separator: "/").map(String.init)
        let version = words.count > 1 ? words[1] : "latest"
        return "datasets/\(words.first ?? "")/versions/\(version)"
    }
}
