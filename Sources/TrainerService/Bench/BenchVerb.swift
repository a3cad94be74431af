import Base
import Images
import Layers
import Models
import Numerics
import Operation
import Text
import Training

/// `fovea-trainer bench`: steps of LoRA training on a model folder, timed, with no server.
struct BenchVerb {
    static let verb = Verb(
        "bench", "Time training on a model folder, with no server.", options: options,
        examples: [
            (
                "fovea-trainer bench --model vicuna-7b --image part.jpg --quantize nf4"
                    + " --checkpointing",
                "One conversation about a picture: seconds and bytes of a QLoRA step."
            ),
            (
                "fovea-trainer bench --model vicuna-7b --random-weights 1 --quantize nf4 --steps 1",
                "The same from the folder's config.json and tokenizer alone, before the weights"
                    + " are fetched."
            ),
        ]
    ) { try BenchVerb(invocation: $0).run() }

    private static let options = [
        OptionSpec("model", .text, "DIR", from: .flag, "The model's folder."),
        OptionSpec(
            "image", .list, "FILE", from: .flag, "A picture of the conversation; repeatable."),
        OptionSpec(
            "prompt", .text, "TEXT", standard: "What is in the picture? Describe it.",
            from: .flag, "What the user asks."),
        OptionSpec(
            "answer", .text, "TEXT", standard: "A red car next to two people.", from: .flag,
            "What is to be learned."),
        OptionSpec(
            "type", .choice(["float32", "bfloat16"]), "TYPE", standard: "bfloat16", from: .flag,
            "What rows are computed in."),
        OptionSpec(
            "quantize", .choice(["nf4", "int8", "int4"]), "FORMAT", from: .flag,
            "How the language model's frozen layers are kept. Default: as they are."),
        OptionSpec(
            "rank", .integer(1...4096), "R", standard: "8", from: .flag,
            "Of the low-rank terms on the language model's linear layers."),
        OptionSpec(
            "steps", .integer(1...1000), "N", standard: "3", from: .flag,
            "Steps to time, after one to warm up."),
        OptionSpec(
            "checkpointing", .flag, from: .flag,
            "Compute layers again on the way back instead of keeping them."),
        OptionSpec(
            "random-weights", .integer(0...Int.max), "SEED", from: .flag,
            "Draw the weights instead of reading them."),
        OptionSpec("json", .flag, from: .flag, "Print JSON for programs (as it does anyway)."),
    ]

    private let invocation: Invocation
    private var settings: Settings { invocation.settings }

    private init(invocation: Invocation) { self.invocation = invocation }

    private func run() throws -> Verb.Outcome {
        try invocation.expectNoOperands(of: "bench")
        guard let folder = settings.text("model") else {
            throw UsageError.missing(option: "--model", why: "bench needs a model's folder")
        }
        let backend = try CPUBackend()
        let start = MonotonicTime.now()
        let model = try load(folder, on: backend)
        let loadSeconds = MonotonicTime.now().seconds(since: start)
        let input = try self.input(for: model)
        var step = try trainingStep(model)
        var seconds: [Double] = []
        var losses: [Double] = []
        for index in 0...(settings.integer("steps") ?? 3) {
            backend.resetMemoryMax()
            let start = MonotonicTime.now()
            let result = step(
                [[input]], learningRate: 1e-3, key: RandomKey(seed: 0).child(index))
            if index > 0 { seconds.append(MonotonicTime.now().seconds(since: start)) }
            losses.append(result.loss)
        }
        report(
            Report(
                tokens: input.ids.count, loadSeconds: loadSeconds, stepSeconds: seconds,
                losses: losses, trainable: step.values.reduce(0) { $0 + $1.tensor.shape.count },
                backend: backend))
        return .success
    }

    private func load(_ folder: String, on backend: any Backend) throws -> LoadedModel {
        let type = DType(rawValue: settings.text("type") ?? "") ?? .bfloat16
        let formats: [String: WeightFormat] = [
            "nf4": .nf4, "int8": .int8, "int4": .int4(group: 128, asymmetric: true),
        ]
        let plan = WeightPlan.serving(type, format: formats[settings.text("quantize") ?? ""])
        guard let seed = settings.integer("random-weights") else {
            return try LoadedModel(folder: folder, plan, on: backend)
        }
        let weights = RandomSource(seed: UInt64(seed), on: backend)
        return try LoadedModel(folder: folder, weights: weights, plan)
    }

    private func input(for model: LoadedModel) throws -> ModelInput {
        let files = settings.list("image")
        let pictures = try files.map { file in
            switch SmallFile.read(file, bytesMax: ImageLimits().bytesMax + 1) {
            case .success(let bytes): return try DecodedImage(decoding: bytes).image
            case .failure(let error):
                throw UsageError.unreadable(what: "picture", path: file, why: error.words)
            }
        }
        let question = ChatMessage(
            .user, files.map { _ in .image } + [.text(settings.text("prompt") ?? "")])
        let answer = ChatMessage(.assistant, settings.text("answer") ?? "")
        return try model.inputs.input([question, answer], pictures)
    }

    private func trainingStep(_ model: LoadedModel) throws -> TrainingStep {
        var spec = AdapterSpec(targets: .pattern(Self.targets))
        spec.rank = settings.integer("rank") ?? 8
        spec.alpha = Double(2 * spec.rank)
        let adapter = try Adapter(spec, starting: RandomKey(seed: 1), in: model)
        var options = AdamW.Options()
        options.weightDecay = 0
        var step = TrainingStep(
            model.model, .adapter(adapter.sites), from: adapter.parameters,
            AdamW(ParameterGroups(options)))
        step.options.isCheckpointed = settings.flag("checkpointing")
        return step
    }

    /// The attention and feed-forward layers of the language model.
    private static let targets =
        #".*language_model.*\.(self_attn\.(q_proj|k_proj|v_proj|o_proj)"#
        + #"|mlp\.(gate_proj|up_proj|down_proj))"#
}

extension BenchVerb {
    fileprivate struct Report {
        let tokens: Int
        let loadSeconds: Double
        let stepSeconds: [Double]
        let losses: [Double]
        let trainable: Int
        let backend: CPUBackend
    }

    fileprivate func report(_ report: Report) {
        let sorted = report.stepSeconds.sorted()
        let median = sorted[sorted.count / 2]
        let peak = ProcessMemory.peakBytes
        invocation.printJSON { json in
            json.member("step_seconds_median", median)
            json.member("step_seconds_min", sorted[0])
            json.member("tokens_per_second", Double(report.tokens) / median)
            json.member("tokens", report.tokens)
            json.member("trainable_parameters", report.trainable)
            json.member("peak_resident_bytes", peak)
            json.member("peak_tensor_bytes", report.backend.memoryUse.liveMax)
            json.member("load_seconds", report.loadSeconds)
            json.member("threads", report.backend.threads)
            json.member("kernel_tier", report.backend.tier.rawValue)
            json.key("losses")
            json.array { list in for loss in report.losses { list.value(loss) } }
        }
    }
}
