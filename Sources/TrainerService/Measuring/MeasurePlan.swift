import Base
import Digests
import Messages
import Resources

/// What is asked of which rows: the same for a baseline, with many prompts, and an evaluation.
struct MeasurePlan: Sendable {
    /// One way to ask.
    struct Variant: Sendable, Hashable {
        let prompt: PromptVariant
        let shots: Int
    }

    let variants: [Variant]
    let measuring: MeasuringSpec
    let split: SplitKind
    let seed: UInt64
    let isBaseline: Bool

    init(_ spec: BaselineSpec, _ version: DatasetVersion) throws {
        let measuring = spec.measuring ?? MeasuringSpec()
        try Self.check(measuring)
        if spec.shotSelection == .nearestImage {
            throw TrainerError.notBuilt(what: "choosing shots by nearest image")
        }
        if spec.repeatCount > 0 { throw TrainerError.notBuilt(what: "asking again") }
        if spec.tryConstrained { throw TrainerError.notBuilt(what: "holding answers to a form") }
        let prompts = spec.prompts.isEmpty ? Self.standardPrompts(version) : spec.prompts
        try Self.check(prompts)
        let shots = spec.shotCounts.isEmpty ? [0, 3] : spec.shotCounts
        for count in shots { try FieldRules.range("spec.baseline.shot_counts", count, 0...64) }
        variants = prompts.flatMap { prompt in
            shots.map { Variant(prompt: prompt, shots: Int($0)) }
        }
        (self.measuring, split, seed, isBaseline) = (measuring, .test, spec.seed, true)
    }

    init(_ spec: EvaluateSpec) throws {
        let measuring = spec.measuring ?? MeasuringSpec()
        try Self.check(measuring)
        guard let split = SplitKind(plainName: spec.split.isEmpty ? "test" : spec.split),
            split != .unspecified
        else {
            throw ResourceError.invalid(
                field: "spec.evaluate.split", seen: spec.split,
                allowed: "test, validation or train is allowed")
        }
        variants = [
            Variant(prompt: spec.prompt ?? .with { $0.promptID = "row" }, shots: 0)
        ]
        (self.measuring, self.split, seed, isBaseline) = (measuring, split, spec.seed, false)
    }

    /// The row's own prompt, and two ways to be clearer.
    private static func standardPrompts(_ version: DatasetVersion) -> [PromptVariant] {
        let classes = version.answerSchema?.classes.map(\.name) ?? []
        let form =
            classes.isEmpty
            ? "Answer as briefly as you can."
            : "Answer with one of these and nothing else: \(classes.joined(separator: ", "))."
        return [("row", ""), ("form", "{prompt}\n\(form)"), ("look", "Look closely. {prompt}")]
            .map { id, text in
                .with { ($0.promptID, $0.userText) = (id, text) }
            }
    }

    private static func check(_ prompts: [PromptVariant]) throws(ResourceError) {
        var seen: Set<String> = []
        for (index, prompt) in prompts.enumerated() {
            let field = "spec.baseline.prompts[\(index)].prompt_id"
            try FieldRules.word(field, prompt.promptID)
            guard seen.insert(prompt.promptID).inserted else {
                throw .invalid(
                    field: field, seen: prompt.promptID, allowed: "each id is allowed once")
            }
        }
    }

    private static func check(_ spec: MeasuringSpec) throws {
        if spec.bootstrapDraws > 0 {
            try FieldRules.range("measuring.bootstrap_draws", spec.bootstrapDraws, 100...100_000)
        }
        if spec.confidenceLevel != 0, !(spec.confidenceLevel > 0.5 && spec.confidenceLevel < 1) {
            throw ResourceError.invalid(
                field: "measuring.confidence_level", seen: "\(spec.confidenceLevel)",
                allowed: "above 0.5 and below 1 is allowed")
        }
        try FieldRules.range("measuring.abstain_confidence", spec.abstainConfidence, 0...1)
        if spec.constraint != nil { throw TrainerError.notBuilt(what: "holding answers to a form") }
        if spec.robustness { throw TrainerError.notBuilt(what: "scoring degraded images") }
        if spec.sampling?.temperature ?? 0 > 0 {
            throw TrainerError.notBuilt(what: "measuring with a temperature")
        }
    }

    /// The places of the rows that are asked, drawn by the seed where not all are.
    func chosen(of count: Int) -> [Int] {
        guard measuring.rowsMax > 0, count > Int(measuring.rowsMax) else { return Array(0..<count) }
        return Array(drawn(count).prefix(Int(measuring.rowsMax))).sorted()
    }

    /// Places in an order drawn by the seed.
    func drawn(_ count: Int) -> [Int] {
        let keys = (0..<count).map { place in
            Bytes("\(seed)|\(place)").withUnsafeBytes { SHA256.digest($0) }.hex
        }
        return keys.indices.sorted { keys[$0] < keys[$1] }
    }
}
