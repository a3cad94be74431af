import Base
import Generation
import Models
import Numerics
import Operation
import Text

/// `generate`: answers one prompt about images, with no server.
struct GenerateVerb {
    let invocation: Invocation

    static let verb = Verb(
        "generate", "Answer a prompt about images.",
        options: LocalModel.options + [
            OptionSpec("prompt", .text, "TEXT", from: .flag, "What to answer."),
            OptionSpec("system", .text, "TEXT", from: .flag, "What the model is told first."),
            OptionSpec(
                "max-tokens", .integer(1...1 << 20), "COUNT", standard: "512", from: .flag,
                "The longest answer."),
            OptionSpec(
                "temperature", .number(0...100), "NUMBER", from: .flag,
                "0: always the likeliest token. Default: as the folder says."),
            OptionSpec(
                "top-p", .number(0...1), "SHARE", from: .flag,
                "Draw from the likeliest tokens that have this share together."),
            OptionSpec(
                "top-k", .integer(1...1 << 20), "COUNT", from: .flag,
                "Draw from this many likeliest tokens."),
            OptionSpec(
                "seed", .integer(0...Int.max), "NUMBER", standard: "0", from: .flag,
                "The same seed draws the same answer."),
            OptionSpec(
                "stop", .list, "TEXT", from: .flag,
                "A text that ends the answer; repeat it for more."),
            OptionSpec("json", .flag, from: .flag, "Print one JSON object at the end."),
        ],
        examples: [
            (
                "fovea-inference generate --model ./llava --image scan.png"
                    + " --prompt \"What is the total?\"",
                "Writes the answer as it comes."
            ),
            (
                "fovea-inference generate --model ./llava --quantize nf4 --image a.jpg"
                    + " --image b.jpg --prompt \"What changed?\" --max-tokens 100 --json",
                "Two pictures, a smaller model, and JSON with tokens and reasons."
            ),
        ]
    ) { try GenerateVerb(invocation: $0).run() }

    func run() throws -> Verb.Outcome {
        try invocation.expectNoOperands(of: "generate")
        let settings = invocation.settings
        guard let prompt = settings.text("prompt") else {
            throw UsageError.missing(option: "--prompt", why: "say what to answer")
        }
        let local = try LocalModel(settings)
        var request = GenerationRequest(
            try local.input(settings, prompt: prompt),
            tokensMax: settings.integer("max-tokens") ?? 512, stopTexts: settings.list("stop"))
        let defaults = try GenerationDefaults(
            folder: local.folder, local.model.inputs.chat.tokenizer)
        request.stopTokens = defaults.stopTokens
        request.rules = try rules(defaults.rules)
        request.adapter = local.adapter
        request.seed = UInt64(settings.integer("seed") ?? 0)
        let generator = local.generator(
            settings, rows: request.input.ids.count + request.tokensMax)
        let results = try generator.results(of: [request]) { event in
            if !invocation.wantsJSON { invocation.console.output(event.text) }
        }
        report(results[0][0])
        return results[0][0].finish == .failed ? .failure : .success
    }

    /// What the caller asks for over what the folder says.
    private func rules(_ standard: SamplingRules) throws -> SamplingRules {
        let settings = invocation.settings
        return try SamplingRules(
            temperature: settings.number("temperature").map(Float.init) ?? standard.temperature,
            topK: settings.integer("top-k") ?? standard.topK,
            topP: settings.number("top-p").map(Float.init) ?? standard.topP,
            minP: standard.minP, repetitionPenalty: standard.repetitionPenalty)
    }

    private func report(_ result: GenerationResult) {
        guard invocation.wantsJSON else {
            invocation.console.output("\n")
            return
        }
        invocation.printJSON { json in
            json.member("text", result.text)
            json.member("finish_reason", result.finish.rawValue)
            json.key("tokens")
            json.array { list in for id in result.ids { list.value(Int(id)) } }
            json.key("usage")
            json.object { usage in
                usage.member("text_tokens", result.usage.textTokens)
                usage.member("image_tokens", result.usage.imageTokens)
                usage.member("answer_tokens", result.usage.answerTokens)
            }
        }
    }
}
