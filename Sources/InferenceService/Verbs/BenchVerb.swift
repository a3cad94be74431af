import Base
import Generation
import Models
import Numerics
import Operation
import Text

/// `bench`: times answers of a model folder, with no server.
struct BenchVerb {
    let invocation: Invocation

    static let verb = Verb(
        "bench", "Time answers of a model folder.",
        options: LocalModel.options + [
            OptionSpec(
                "prompt", .text, "TEXT", standard: "What is in the picture? Describe it.",
                from: .flag, "What to answer."),
            OptionSpec(
                "tokens", .integer(2...1 << 16), "COUNT", standard: "33", from: .flag,
                "Tokens of each answer."),
            OptionSpec("json", .flag, from: .flag, "Print JSON for programs (as it does anyway)."),
            OptionSpec(
                "runs", .integer(1...1000), "COUNT", standard: "5", from: .flag,
                "How many answers count, after one that does not."),
        ],
        examples: [
            (
                "fovea-inference bench --model ./llava --image page.png --type bfloat16"
                    + " --quantize nf4",
                "One JSON object: seconds to the first token, tokens per second, memory."
            )
        ]
    ) { try BenchVerb(invocation: $0).run() }

    func run() throws -> Verb.Outcome {
        try invocation.expectNoOperands(of: "bench")
        let settings = invocation.settings
        let local = try LocalModel(settings)
        let input = try local.input(settings, prompt: settings.text("prompt") ?? "")
        let tokens = settings.integer("tokens") ?? 33
        var request = GenerationRequest(input, tokensMax: tokens)
        request.adapter = local.adapter
        let timing = try DecodeTiming(
            local.generator(settings, rows: input.ids.count + tokens), request,
            runs: settings.integer("runs") ?? 5)
        report(timing, local, input)
        return .success
    }

    private func report(_ timing: DecodeTiming, _ local: LocalModel, _ input: ModelInput) {
        let settings = invocation.settings
        invocation.printJSON { json in
            json.member("type", local.type.rawValue)
            json.member("quantize", settings.text("quantize") ?? "")
            json.member("cache", settings.text("cache") ?? "")
            json.member("context_tokens", input.ids.count)
            json.member("load_seconds", local.loadSeconds)
            json.member("first_token_seconds_median", timing.firstTokenSeconds.median)
            json.member("tokens_per_second_median", timing.tokensPerSecond.median)
            json.member("peak_resident_bytes", ProcessMemory.peakBytes)
            json.member("threads", local.backend.threads)
            json.member("kernel_tier", local.backend.tier.rawValue)
            for (name, runs) in [
                ("first_token_seconds_by_run", timing.firstTokenSeconds),
                ("tokens_per_second_by_run", timing.tokensPerSecond),
            ] {
                json.key(name)
                json.array { list in for run in runs { list.value(run) } }
            }
            json.key("tokens")
            json.array { list in for id in timing.ids { list.value(Int(id)) } }
        }
    }
}
