import Messages
import Numerics
import Quality
import Resources

/// How answers are made and scored, checked before any work.
struct MeasureTerms: Sendable {
    let measuring: MeasuringSpec
    let rules: SamplingRules
    /// The answers to choose from; empty where answers are written freely.
    let choices: [String]
    let degradations: [Quality.AugmentationStep]

    init(_ spec: MeasuringSpec, _ version: DatasetVersion) throws {
        if spec.bootstrapDraws > 0 {
            try FieldRules.range("measuring.bootstrap_draws", spec.bootstrapDraws, 100...100_000)
        }
        if spec.confidenceLevel != 0, !(spec.confidenceLevel > 0.5 && spec.confidenceLevel < 1) {
            throw ResourceError.invalid(
                field: "measuring.confidence_level", seen: "\(spec.confidenceLevel)",
                allowed: "above 0.5 and below 1 is allowed")
        }
        try FieldRules.range("measuring.abstain_confidence", spec.abstainConfidence, 0...1)
        for (index, slice) in spec.slices.enumerated() where !RowSlices.isKnown(slice) {
            throw ResourceError.invalid(
                field: "measuring.slices[\(index)]", seen: slice,
                allowed: RowSlices.names.joined(separator: ", ") + " or attributes.KEY is allowed")
        }
        rules = try Self.rules(spec.sampling ?? SamplingOptions())
        choices = try Self.choices(spec.constraint, version)
        degradations = try Self.degradations(spec, version)
        measuring = spec
    }

    private static func rules(_ options: SamplingOptions) throws -> SamplingRules {
        let unused: [(String, Bool)] = [
            ("frequency_penalty", options.frequencyPenalty != 0),
            ("presence_penalty", options.presencePenalty != 0),
            ("stop_texts", !options.stopTexts.isEmpty),
            ("ignore_end_token", options.ignoreEndToken),
            ("logit_biases", !options.logitBiases.isEmpty),
        ]
        if let name = unused.first(where: \.1)?.0 {
            throw TrainerError.notBuilt(what: "measuring.sampling.\(name)")
        }
        let temperature = options.temperature ?? 0
        try FieldRules.range("measuring.sampling.temperature", temperature, 0...2)
        if let topP = options.topP, !(topP > 0 && topP <= 1) {
            throw ResourceError.invalid(
                field: "measuring.sampling.top_p", seen: "\(topP)",
                allowed: "above 0 to 1 is allowed")
        }
        try FieldRules.range("measuring.sampling.min_p", options.minP, 0...1)
        let repetition = options.repetitionPenalty ?? 1
        guard repetition > 0, repetition <= 2 else {
            throw ResourceError.invalid(
                field: "measuring.sampling.repetition_penalty", seen: "\(repetition)",
                allowed: "above 0 to 2 is allowed")
        }
        return try SamplingRules(
            temperature: Float(temperature), topK: options.topK == 0 ? nil : Int(options.topK),
            topP: options.topP.map(Float.init),
            minP: options.minP == 0 ? nil : Float(options.minP),
            repetitionPenalty: Float(repetition))
    }

    private static func choices(
        _ constraint: AnswerConstraint?, _ version: DatasetVersion
    ) throws -> [String] {
        guard let constraint else { return [] }
        guard case .choices(let list)? = constraint.constraint else {
            throw TrainerError.notBuilt(what: "holding answers to a schema or a pattern")
        }
        let field = "measuring.constraint.choices"
        try check(list.choices, field: field)
        return list.choices
    }

    private static func check(_ choices: [String], field: String) throws(ResourceError) {
        guard (2...MeasurePlan.choicesMax).contains(choices.count) else {
            throw .invalid(
                field: field, seen: "\(choices.count)",
                allowed: "2 to \(MeasurePlan.choicesMax) answers are allowed")
        }
        for (index, choice) in choices.enumerated() {
            let isNew = choices.firstIndex(of: choice) == index
            guard isNew, (1...1_000).contains(choice.utf8.count) else {
                throw .invalid(
                    field: "\(field)[\(index)]", seen: String(choice.prefix(80)),
                    allowed: "answers of 1 to 1,000 bytes, no two the same, are allowed")
            }
        }
    }

    /// The classes of a version, to choose from.
    static func classes(
        _ version: DatasetVersion, field: String
    ) throws(ResourceError) -> [String] {
        let classes = version.answerSchema?.classes.map(\.name) ?? []
        guard !classes.isEmpty else {
            throw .invalid(
                field: field, seen: "true",
                allowed: "it is allowed for versions with classes; \(version.name) has none")
        }
        try check(classes, field: field)
        return classes
    }

    private static func degradations(
        _ spec: MeasuringSpec, _ version: DatasetVersion
    ) throws -> [Quality.AugmentationStep] {
        guard spec.robustness else { return [] }
        let steps = version.augmentationPolicy?.steps.compactMap(\.transform) ?? []
        guard !steps.isEmpty else {
            throw ResourceError.invalid(
                field: "measuring.robustness", seen: "true",
                allowed: "it is allowed for versions with an augmentation policy; "
                    + "\(version.name) has none")
        }
        return steps.map { Quality.AugmentationStep(1, Quality.Transform($0)) }
    }
}
