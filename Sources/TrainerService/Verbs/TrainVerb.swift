import Base
import Foundation
import Messages
import Operation
import RPC
import Resources

extension Verb {
    private static let recipeOptions = [
        OptionSpec("model", .text, "MODEL", from: .flag, "A registered model. Required."),
        OptionSpec(
            "dataset", .text, "DATASET[/VERSION]", from: .flag,
            "What to learn from; the newest version if none is named. Required."),
        OptionSpec(
            "method", .choice(["lora", "qlora", "full"]), "METHOD", standard: "lora", from: .flag,
            "What learns."),
        OptionSpec("rank", .integer(1...4096), "R", from: .flag, "Of adapters. Default: 16."),
        OptionSpec(
            "learning-rate", .number(1e-12...0.01), "RATE", from: .flag,
            "Peak. Default: 1e-4 with adapters, 1e-5 in full."),
        OptionSpec("epochs", .number(0.001...1_000), "N", from: .flag, "Default: 3."),
        OptionSpec(
            "rows-per-step", .integer(1...65_536), "ROWS", from: .flag,
            "For one change of the weights. Default: 8."),
        OptionSpec(
            "precision", .choice(["float32", "bfloat16"]), "TYPE", from: .flag,
            "What rows are computed in. Default: bfloat16."),
        OptionSpec("seed", .integer(0...Int.max), "N", standard: "0", from: .flag, "Seed."),
        OptionSpec(
            "overlength", .choice(["reject", "shrink_image", "split_turns", "skip"]), "POLICY",
            standard: "reject", from: .flag, "What happens to rows beyond the context."),
    ]

    static let train = Verb(
        "train", "Train an adapter or a model.",
        options: recipeOptions + [
            OptionSpec("id", .text, "JOB", from: .flag, "Name of the job."),
            OptionSpec("title", .text, "TEXT", from: .flag, "A title for people."),
            OptionSpec(
                "checkpoint-steps", .integer(1...1_000_000), "N", from: .flag,
                "Checkpoint after so many steps too."),
            OptionSpec(
                "force", .text, "REASON", from: .flag,
                "Train without a baseline, or though it is advised against, and say why."),
            OptionSpec("validate-only", .flag, from: .flag, "Check everything, keep nothing."),
            OptionSpec("watch", .flag, from: .flag, "Follow the job to its end."),
        ] + trainerOptions,
        examples: [
            (
                "fovea-trainer train --model llava-7b --dataset cells/3 --method qlora --watch",
                "An adapter beside 4-bit weights, with the defaults."
            )
        ]
    ) { try await TrainVerb($0).run() }

    static let preview = Verb(
        "preview", "Show what a model will see of a row.", operands: "[EXAMPLE]",
        options: recipeOptions + trainerOptions,
        examples: [
            (
                "fovea-trainer preview --model llava-7b --dataset cells/3",
                "The first train row; what is learned stands in brackets."
            )
        ]
    ) { try await TrainVerb($0).preview() }
}

extension Verb {
    static let merge = Verb(
        "merge", "Merge an adapter into its model.", operands: "JOB/CHECKPOINT",
        options: [
            OptionSpec("id", .text, "JOB", from: .flag, "Name of the job."),
            OptionSpec(
                "output", .text, "MODEL", from: .flag,
                "Name of the model that is made. Default: of the base and the job."),
            OptionSpec(
                "precision", .choice(["float32", "bfloat16"]), "TYPE", from: .flag,
                "Of changed weights. Default: that of the base."),
            OptionSpec(
                "difference", .number(0...1_000), "LOGITS", from: .flag,
                "Largest difference of a logit. Default: 0.05, for float32 0.001."),
            OptionSpec("watch", .flag, from: .flag, "Follow the job to its end."),
            OptionSpec("validate-only", .flag, from: .flag, "Check everything, keep nothing."),
        ] + trainerOptions,
        examples: [
            ("fovea-trainer merge first/best --watch", "A model that needs no adapter.")
        ]
    ) { try await TrainVerb($0).merge() }
}

extension Verb {
    static let estimate = Verb(
        "estimate", "Say whether a job fits, and what it costs.",
        options: recipeOptions + [
            OptionSpec(
                "measure", .flag, from: .flag,
                "Run a few steps on the free device to learn the time.")
        ] + trainerOptions
    ) { try await TrainVerb($0).estimate() }
}

/// `train`, `estimate` and `preview`.
struct TrainVerb: Sendable {
    private let verb: TrainerVerb
    private var invocation: Invocation { verb.invocation }
    private var settings: Settings { invocation.settings }

    init(_ invocation: Invocation) { verb = TrainerVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        var request = CreateJobRequest()
        request.jobID = settings.text("id") ?? ""
        request.displayName = settings.text("title") ?? ""
        request.requestID = UUID().uuidString
        request.validateOnly = settings.flag("validate-only")
        request.spec = try spec()
        return try await verb.create(request)
    }

    func merge() async throws -> Verb.Outcome {
        let words = (invocation.operands.first ?? "").split(separator: "/")
        guard words.count == 2 else {
            throw UsageError.missing(option: "JOB/CHECKPOINT", why: "such as first/best")
        }
        var spec = MergeSpec()
        spec.adapter = "jobs/\(words[0])/checkpoints/\(words[1])"
        spec.outputModelID = settings.text("output") ?? ""
        spec.outputWeightFormat =
            settings.text("precision").flatMap { .init(plainName: $0) } ?? .unspecified
        spec.logitDifferenceMax = settings.number("difference") ?? 0
        var request = CreateJobRequest()
        (request.jobID, request.requestID) = (settings.text("id") ?? "", UUID().uuidString)
        request.validateOnly = settings.flag("validate-only")
        request.spec = .with { $0.work = .merge(spec) }
        return try await verb.create(request)
    }

    private func spec() throws(UsageError) -> JobSpec {
        var train = TrainSpec()
        train.model = "models/\(try required("model"))"
        train.datasetVersion = VersionWords.name(try required("dataset"))
        train.method = settings.text("method").flatMap { .init(plainName: $0) } ?? .lora
        if let rank = settings.integer("rank") {
            train.adapter = .with { $0.rank = UInt32(clamping: rank) }
        }
        if let rate = settings.number("learning-rate") {
            train.optimizer = .with { $0.learningRate = rate }
        }
        train.epochs = settings.number("epochs") ?? 0
        train.batch = .with {
            $0.rowsPerStep = UInt32(clamping: settings.integer("rows-per-step") ?? 0)
            $0.precision =
                settings.text("precision").flatMap { .init(plainName: $0) } ?? .unspecified
        }
        train.seed = UInt64(settings.integer("seed") ?? 0)
        train.overlengthPolicy =
            settings.text("overlength").flatMap { .init(plainName: $0) } ?? .reject
        train.checkpointIntervalSteps = UInt32(
            clamping: settings.integer("checkpoint-steps") ?? 0)
        if let reason = settings.text("force") {
            (train.force, train.forceReason) = (true, reason)
        }
        return .with { $0.work = .train(train) }
    }

    private func required(_ option: String) throws(UsageError) -> String {
        guard let text = settings.text(option) else {
            throw .missing(option: "--\(option)", why: "training needs it")
        }
        return text
    }

    func estimate() async throws -> Verb.Outcome {
        var request = EstimateJobRequest()
        (request.spec, request.measure) = (try spec(), settings.flag("measure"))
        let answer = try await invocation.withClient { [verb, request] client in
            try await client.call(Training.estimateJob, request, options: verb.options)
        }
        let estimate = answer.estimate ?? JobEstimate()
        let parts = estimate.memory.map { share in
            (share.part.plainName.lowercased(), "\(share.hostBytes)")
        }
        let devices = estimate.devices.map { ("fits \($0.device)", "\($0.fits)") }
        invocation.printResult(
            parts + [("peak_bytes", "\(estimate.peakHostBytes)")] + devices + [
                ("steps", "\(estimate.stepCount)"),
                ("trained_parameters", "\(estimate.trainedParameterCount)"),
                (
                    "running_seconds",
                    estimate.timeBasis.isEmpty
                        ? "not known; --measure runs a few steps" : "\(estimate.runningSeconds)"
                ),
                ("cost", "\(estimate.cost) \(estimate.currency)"),
                ("problems", answer.problems.map(\.message).joined(separator: "; ")),
                ("notes", answer.notes.map(\.message).joined(separator: "; ")),
            ])
        return estimate.fits && answer.problems.isEmpty ? .success : .failure
    }

    func preview() async throws -> Verb.Outcome {
        var request = PreviewExampleRequest()
        request.spec = try spec()
        request.example = invocation.operands.first ?? ""
        let preview = try await invocation.withClient { [verb, request] client in
            try await client.call(Training.previewExample, request, options: verb.options)
        }
        let fields = [
            ("example", preview.example), ("tokens", "\(preview.tokenCount)"),
            ("image_tokens", "\(preview.imageTokenCount)"),
            ("trained_tokens", "\(preview.trainedTokenCount)"),
            ("context_tokens_max", "\(preview.contextTokensMax)"),
            ("problems", preview.problems.map(\.message).joined(separator: "; ")),
            ("text", preview.markedText),
        ]
        invocation.printResult(fields)
        return preview.problems.isEmpty ? .success : .failure
    }
}

extension PreviewExampleResponse {
    /// The text with what is learned in brackets.
    fileprivate var markedText: String {
        spans.map { span in
            if span.imageIndex != nil { return "<image x \(span.tokenCount)>" }
            return span.lossWeight > 0 ? "[\(span.text)]" : span.text
        }
        .joined()
    }
}
