import Base
import Digests
import Messages
import Numerics
import Quality
import Resources

/// What is asked of which rows: the same for a baseline, with many prompts, and an evaluation.
struct MeasurePlan: Sendable {
    /// One way to ask.
    struct Variant: Sendable, Hashable {
        let prompt: PromptVariant
        let shots: Int
        /// Whether the answer is the likeliest of the choices.
        var isConstrained = false
        /// 0 for the answer that counts; from 1 on the question is asked again.
        var round = 0
        /// The step of the policy that images are put through.
        var degradation: Int?
    }

    /// Asked of all rows, those that are asked again included.
    let variants: [Variant]
    /// Steps of the augmentation policy under which the best variant is asked too.
    let degradations: [Quality.AugmentationStep]
    /// The answers that constrained variants choose from.
    let choices: [String]
    let selection: ShotSelection
    let measuring: MeasuringSpec
    let split: SplitKind
    let seed: UInt64
    let isBaseline: Bool
    /// How answers that count are written.
    let rules: SamplingRules
    /// The score to reach.
    let target: Double

    /// How questions are asked again.
    static let repeatTemperature: Float = 0.7
    /// More choices would take a pass each for every row.
    static let choicesMax = 256

    init(_ spec: BaselineSpec, _ version: DatasetVersion) throws {
        let terms = try MeasureTerms(spec.measuring ?? MeasuringSpec(), version)
        try FieldRules.range("spec.baseline.repeat_count", spec.repeatCount, 0...20)
        guard spec.shotSelection.isKnown else {
            throw ResourceError.invalid(
                field: "spec.baseline.shot_selection", seen: "\(spec.shotSelection)",
                allowed: ShotSelection.allKnown.map(\.plainName).joined(separator: ", "))
        }
        if let target = spec.targetScore {
            try FieldRules.range("spec.baseline.target_score", target, 0...1)
        }
        let prompts = spec.prompts.isEmpty ? Self.standardPrompts(version) : spec.prompts
        try Self.check(prompts)
        let shots = spec.shotCounts.isEmpty ? [0, 3] : spec.shotCounts
        for (index, count) in shots.enumerated() {
            let field = "spec.baseline.shot_counts[\(index)]"
            try FieldRules.range(field, count, 0...64)
            guard shots.firstIndex(of: count) == index else {
                throw ResourceError.invalid(
                    field: field, seen: "\(count)", allowed: "each number is allowed once")
            }
        }
        let isHeld = !terms.choices.isEmpty
        let plain = prompts.flatMap { prompt in
            shots.map { Variant(prompt: prompt, shots: Int($0), isConstrained: isHeld) }
        }
        choices =
            spec.tryConstrained && !isHeld
            ? try MeasureTerms.classes(version, field: "spec.baseline.try_constrained")
            : terms.choices
        let constrained =
            spec.tryConstrained && !isHeld
            ? plain.map { Variant(prompt: $0.prompt, shots: $0.shots, isConstrained: true) } : []
        let again = plain.filter { !$0.isConstrained }.flatMap { variant in
            (0..<Int(spec.repeatCount)).map {
                Variant(prompt: variant.prompt, shots: variant.shots, round: $0 + 1)
            }
        }
        variants = plain + constrained + again
        (degradations, rules) = (terms.degradations, terms.rules)
        (measuring, selection) = (terms.measuring, spec.shotSelection)
        (split, seed, isBaseline) = (.test, spec.seed, true)
        target = spec.targetScore ?? version.targetScore ?? 1
    }

    init(_ spec: EvaluateSpec, _ version: DatasetVersion) throws {
        let terms = try MeasureTerms(spec.measuring ?? MeasuringSpec(), version)
        guard let split = SplitKind(plainName: spec.split.isEmpty ? "test" : spec.split),
            split != .unspecified
        else {
            throw ResourceError.invalid(
                field: "spec.evaluate.split", seen: spec.split,
                allowed: "test, validation or train is allowed")
        }
        variants = [
            Variant(
                prompt: spec.prompt ?? .with { $0.promptID = "row" }, shots: 0,
                isConstrained: !terms.choices.isEmpty)
        ]
        (degradations, rules, choices) = (terms.degradations, terms.rules, terms.choices)
        (measuring, selection) = (terms.measuring, .unspecified)
        (self.split, seed, isBaseline) = (split, spec.seed, false)
        target = version.targetScore ?? 1
    }

    /// Places among `variants` of those whose answers count.
    var scored: [Int] { variants.indices.filter { variants[$0].round == 0 } }

    /// Places among `variants` of one that counts and of those that ask the same again.
    func rounds(of variant: Int) -> [Int] {
        variants.indices.filter { index in
            variants[index].prompt == variants[variant].prompt
                && variants[index].shots == variants[variant].shots
                && variants[index].isConstrained == variants[variant].isConstrained
        }
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

    // MARK: Rows

    /// The places of the rows that are asked: all, or as many as wanted, drawn by the seed so that
    /// each stratum keeps its share (largest remainders).
    ///
    /// - Parameter strata: of every row
    func chosen(_ strata: [String]) -> [Int] {
        let wanted = Int(measuring.rowsMax)
        guard wanted > 0, strata.count > wanted else { return Array(strata.indices) }
        var members: [String: [Int]] = [:]
        for place in drawn(strata.count) { members[strata[place], default: []].append(place) }
        let names = members.keys.sorted()
        var counts = names.map { (members[$0]?.count ?? 0) * wanted / strata.count }
        let rests = names.indices.sorted { a, b in
            let (first, second) = (
                (members[names[a]]?.count ?? 0) * wanted % strata.count,
                (members[names[b]]?.count ?? 0) * wanted % strata.count
            )
            return (second, a) < (first, b)
        }
        for index in rests.prefix(wanted - counts.reduce(0, +)) { counts[index] += 1 }
        return zip(names, counts).flatMap { (members[$0] ?? []).prefix($1) }.sorted()
    }

    /// Places in an order drawn by the seed.
    func drawn(_ count: Int) -> [Int] {
        let keys = (0..<count).map { place in
            Bytes("\(seed)|\(place)").withUnsafeBytes { SHA256.digest($0) }.hex
        }
        return keys.indices.sorted { keys[$0] < keys[$1] }
    }

    /// The seed of one answer: the same for the same row and round, whatever else is asked.
    func seed(of row: String, round: Int) -> UInt64 {
        SplitPlan.hash("\(seed)|\(round)|\(row)")
    }
}
