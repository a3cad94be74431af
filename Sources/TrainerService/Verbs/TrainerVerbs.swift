import Base
import Messages
import Operation
import RPC
import Resources

/// Options and names that verbs share.
extension Verb {
    static let trainerOptions = [
        OptionSpec(
            "server", .text, "ADDRESS", from: .variable("FOVEA_TRAINER"),
            "unix:PATH or HOST:PORT. Default: the socket that serve uses by default."),
        OptionSpec("token-file", .text, "FILE", "A file that holds the token to send."),
        OptionSpec(
            "tls-ca", .text, "FILE", "PEM authorities to trust: turns TLS on for HOST:PORT."),
        OptionSpec(
            "timeout-seconds", .seconds(0.001...86_400), "SECONDS", standard: "600", from: .flag,
            "How long to wait for an answer."),
        OptionSpec("json", .flag, from: .flag, "Print JSON for programs."),
    ]

    static let ofTrainer: [Verb] = [
        models,
        estimate,
        preview,
        baseline,
        train,
        evaluate,
        .later("quantize", "Make a smaller model."),
        merge,
        watch, jobs, cancel, pause, resume,
        compare,
        advise,
        export, BenchVerb.verb,
    ]

    private static let models = Verb(
        "models", "List base models, or register one.", operands: "[DIRECTORY]",
        options: [
            OptionSpec("id", .text, "MODEL", from: .flag, "Name to register it under."),
            OptionSpec("title", .text, "TEXT", from: .flag, "A title for people."),
            OptionSpec("sha256", .text, "DIGEST", from: .flag, "Digest the weights must have."),
            OptionSpec("filter", .text, "FILTER", from: .flag, "As AIP-160, when listing."),
        ] + trainerOptions,
        examples: [
            (
                "fovea-trainer models llava-v1.6-vicuna-7b --id llava-7b",
                "Check and register a folder below the server's --models."
            )
        ]
    ) { try await TrainerVerb($0).models() }

    private static let jobs = Verb(
        "jobs", "List jobs, or show one.", operands: "[JOB]",
        options: [OptionSpec("filter", .text, "FILTER", from: .flag, "As AIP-160.")]
            + trainerOptions
    ) { try await TrainerVerb($0).jobs() }

    private static let watch = Verb(
        "watch", "Follow a job to its end.", operands: "JOB",
        options: [
            OptionSpec(
                "after", .integer(0...Int.max), "NUMBER", from: .flag,
                "Go on after this event.")
        ] + trainerOptions
    ) { try await WatchVerb($0).run() }

    private static let cancel = Verb(
        "cancel", "End a job within a step.", operands: "JOB", options: reasonOptions
    ) { try await TrainerVerb($0).cancel() }

    private static let pause = Verb(
        "pause", "Stop a job after a checkpoint.", operands: "JOB", options: reasonOptions
    ) { try await TrainerVerb($0).pause() }

    private static let reasonOptions =
        [OptionSpec("reason", .text, "TEXT", from: .flag, "Why.")] + trainerOptions

    private static let resume = Verb(
        "resume", "Let a paused or failed job go on.", operands: "JOB",
        options: [OptionSpec("device", .text, "DEVICE", from: .flag, "Another device.")]
            + trainerOptions
    ) { try await TrainerVerb($0).resume() }

    private static let export = Verb(
        "export", "Fetch the result of a job, a checkpoint or a model.",
        operands: "JOB[/CHECKPOINT] FOLDER",
        options: [
            OptionSpec("state", .flag, from: .flag, "Also what going on needs.")
        ] + trainerOptions,
        examples: [
            ("fovea-trainer export j1 adapter", "The best adapter of a job, in PEFT's layout."),
            ("fovea-trainer export j1/last adapter", "That of its last checkpoint."),
            ("fovea-trainer export base/report page", "The report of a measured job."),
        ]
    ) { try await ExportVerb($0).run() }
}

/// What verbs need to call a server.
struct TrainerVerb: Sendable {
    let invocation: Invocation

    init(_ invocation: Invocation) { self.invocation = invocation }

    var options: CallOptions {
        CallOptions(timeoutSeconds: invocation.settings.number("timeout-seconds") ?? 600)
    }

    func job() throws(UsageError) -> String { "jobs/\(try invocation.operand(0, "JOB"))" }

    /// Makes one call and shows the job that it answers with.
    func show<Request>(
        _ method: UnaryMethod<Request, TrainingJob>, _ request: Request
    ) async throws -> Verb.Outcome {
        let job = try await invocation.withClient { [options] client in
            try await client.call(method, request, options: options)
        }
        invocation.printResult(job.fields)
        return .success
    }

    /// Creates a job and shows it, or follows it to its end where that is asked for.
    func create(_ request: CreateJobRequest) async throws -> Verb.Outcome {
        let job = try await invocation.withClient { [options] client in
            try await client.call(Training.createJob, request, options: options)
        }
        guard invocation.settings.flag("watch"), !request.validateOnly else {
            invocation.printResult(job.fields)
            return .success
        }
        let state = try await invocation.withClient { client in
            try await WatchVerb(invocation).follow(job.name, after: 0, client)
        }
        return state == .succeeded ? .success : .failure
    }

    func cancel() async throws -> Verb.Outcome {
        let (name, reason) = (try job(), invocation.settings.text("reason") ?? "")
        return try await show(
            Training.cancelJob, .with { ($0.name, $0.reason) = (name, reason) })
    }

    func pause() async throws -> Verb.Outcome {
        let (name, reason) = (try job(), invocation.settings.text("reason") ?? "")
        return try await show(Training.pauseJob, .with { ($0.name, $0.reason) = (name, reason) })
    }

    func resume() async throws -> Verb.Outcome {
        let (name, device) = (try job(), invocation.settings.text("device") ?? "")
        return try await show(
            Training.resumeJob, .with { ($0.name, $0.device) = (name, device) })
    }

    func jobs() async throws -> Verb.Outcome {
        guard invocation.operands.isEmpty else {
            let name = try job()
            return try await show(Training.getJob, .with { $0.name = name })
        }
        let filter = invocation.settings.text("filter") ?? ""
        let all = try await invocation.withClient { [options] client in
            var all: [TrainingJob] = []
            var token = ""
            repeat {
                let page = try await client.call(
                    Training.listJobs,
                    .with { ($0.filter, $0.pageToken, $0.pageSize) = (filter, token, 1_000) },
                    options: options)
                all += page.jobs
                token = page.nextPageToken
            } while !token.isEmpty
            return all
        }
        var table = TextTable("JOB", "WORK", "STATE", "STEP", "LOSS", "DEVICE", "AUTHOR")
        for job in all {
            let progress = job.progress ?? JobProgress()
            table.add(
                job.name, job.spec?.workName ?? "", job.state.plainName.lowercased(),
                "\(progress.step)/\(progress.stepCount)", job.value(of: "loss"),
                job.spec?.device ?? "", job.author)
        }
        invocation.printResults(all.map(\.fields), table)
        return .success
    }

    func models() async throws -> Verb.Outcome {
        guard !invocation.operands.isEmpty else { return try await listModels() }
        let settings = invocation.settings
        var request = RegisterModelRequest()
        request.directory = try invocation.operand(0, "DIRECTORY")
        request.modelID = settings.text("id") ?? ""
        request.displayName = settings.text("title") ?? ""
        request.expectedSha256 = settings.text("sha256") ?? ""
        let model = try await invocation.withClient { [options, request] client in
            try await client.call(Training.registerModel, request, options: options)
        }
        invocation.printResult(model.fields)
        return .success
    }

    private func listModels() async throws -> Verb.Outcome {
        let filter = invocation.settings.text("filter") ?? ""
        let all = try await invocation.withClient { [options] client in
            try await client.call(
                Training.listModels, .with { ($0.filter, $0.pageSize) = (filter, 1_000) },
                options: options
            ).models
        }
        var table = TextTable("MODEL", "ARCHITECTURE", "PARAMETERS", "FORMAT", "DIGEST")
        for model in all {
            table.add(
                model.name, model.architecture, "\(model.parameterCount)",
                model.weightFormat.plainName.lowercased(), String(model.modelSha256.prefix(12)))
        }
        invocation.printResults(all.map(\.fields), table)
        return .success
    }
}

extension TrainingJob {
    /// The best value of a measure, as text; empty if there is none.
    func value(of measure: String) -> String {
        measures.first { $0.name == measure }.map { "\($0.value)" } ?? ""
    }

    /// What verbs show of a job.
    var fields: [(String, String)] {
        let progress = progress ?? JobProgress()
        return [
            ("name", name), ("title", displayName), ("work", spec?.workName ?? ""),
            ("state", state.plainName.lowercased()), ("problem", problem?.message ?? ""),
            ("model", spec?.modelName ?? ""), ("dataset_version", spec?.versionName ?? ""),
            ("device", spec?.device ?? ""), ("queue_position", "\(queuePosition)"),
            ("phase", progress.phase), ("step", "\(progress.step)"),
            ("steps", "\(progress.stepCount)"), ("loss", value(of: "loss")),
            ("best_checkpoint", bestCheckpoint), ("last_checkpoint", lastCheckpoint),
            ("running_seconds", "\(progress.runningSeconds)"),
            ("peak_bytes", "\(usage?.peakDeviceBytes ?? 0)"),
            ("warnings", warnings.map(\.message).joined(separator: "; ")), ("etag", etag),
        ]
    }
}

extension RegisteredModel {
    /// What verbs show of a model.
    var fields: [(String, String)] {
        [
            ("name", name), ("title", displayName), ("architecture", architecture),
            ("sha256", modelSha256), ("parameters", "\(parameterCount)"),
            ("format", weightFormat.plainName.lowercased()),
            ("context_tokens_max", "\(contextTokensMax)"), ("licence", licence),
            (
                "parts",
                parts.map { "\($0.part.plainName.lowercased()) \($0.parameterCount)" }
                    .joined(separator: ", ")
            ), ("warnings", warnings.map(\.message).joined(separator: "; ")),
        ]
    }
}
