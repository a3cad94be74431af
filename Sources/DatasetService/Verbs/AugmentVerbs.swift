import Base
import Foundation
import Messages
import Operation
import RPC

extension Verb {
    private static let policyOptions = [
        OptionSpec("preset", .flag, from: .flag, "Start from the preset of the domain."),
        OptionSpec(
            "policy", .text, "FILE", from: .flag,
            "Steps as JSON; with --preset they replace those of the same kind."),
        OptionSpec(
            "untouched", .number(0...1), "SHARE", from: .flag, "Share of rows left as they are."),
    ]

    static let augment = Verb(
        "augment", "Set what may happen to training images.", operands: "DATASET",
        options: policyOptions + [
            OptionSpec("validate-only", .flag, from: .flag, "Check and report, keep nothing.")
        ] + datasetOptions,
        examples: [
            ("fovea-dataset augment cells --preset", "What suits the domain of the dataset.")
        ]
    ) { try await AugmentVerb($0).set() }

    static let preview = Verb(
        "preview", "Show what augmentation does.", operands: "DATASET",
        options: [
            OptionSpec("to", .text, "FILE", from: .flag, "PNG file to write. Required."),
            OptionSpec("row", .list, "ID", from: .flag, "Row to show; give it once for each."),
            OptionSpec(
                "rows", .integer(1...20), "N", from: .flag, "Rows to draw. Default: 6."),
            OptionSpec(
                "variants", .integer(1...10), "N", from: .flag, "Variants of each. Default: 5."),
            OptionSpec(
                "cell", .integer(64...512), "PIXELS", from: .flag,
                "Side of a picture. Default: 192."),
            OptionSpec("seed", .integer(0...Int.max), "N", from: .flag, "As of stream."),
            OptionSpec("epoch", .integer(0...1_000_000), "N", from: .flag, "The first epoch."),
        ] + policyOptions + datasetOptions,
        examples: [
            (
                "fovea-dataset preview cells --to sheet.png --preset",
                "Originals beside variants, of a policy that is not set yet."
            )
        ]
    ) { try await AugmentVerb($0).preview() }
}

/// `augment` and `preview`.
struct AugmentVerb: Sendable {
    private let verb: DatasetVerb
    private var settings: Settings { verb.invocation.settings }

    init(_ invocation: Invocation) { verb = DatasetVerb(invocation) }

    /// The policy that options describe; nil if there are none.
    private func policy() throws(ImportError) -> AugmentationPolicy? {
        let path = settings.text("policy")
        guard path != nil || settings.flag("preset") || settings.has("untouched") else {
            return nil
        }
        var policy =
            try path.map { path throws(ImportError) in try PolicyFile(path: path).read() }
            ?? AugmentationPolicy()
        if settings.flag("preset") { policy.usePreset = true }
        if let share = settings.number("untouched") { policy.untouchedShare = share }
        return policy
    }

    func set() async throws -> Verb.Outcome {
        guard let policy = try policy() else {
            throw UsageError.missing(option: "--preset or --policy", why: "say what may happen")
        }
        var request = SetAugmentationPolicyRequest()
        (request.dataset, request.policy) = (try verb.dataset(), policy)
        request.validateOnly = settings.flag("validate-only")
        let wanted = request
        let response = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.setAugmentationPolicy, wanted, options: options)
        }
        let kept = response.policy ?? AugmentationPolicy()
        verb.printOne(
            [
                ("name", kept.name), ("sha256", kept.policySha256),
                ("untouched_share", "\(kept.untouchedShare)"), ("steps", "\(kept.steps.count)"),
            ]
                + kept.steps.enumerated().map { index, step in
                    ("step_\(index + 1)", step.words)
                })
        for warning in response.warnings { verb.invocation.console.complain(warning.message) }
        return .success
    }

    func preview() async throws -> Verb.Outcome {
        guard let path = settings.text("to") else {
            throw UsageError.missing(option: "--to", why: "say which PNG file to write")
        }
        let request = try previewRequest()
        let response = try await verb.invocation.withClient { [options = verb.options] client in
            try await client.call(Datasets.previewAugmentation, request, options: options)
        }
        try response.contactSheetPng.write(toFile: path)
        let variants = response.variants
        guard !verb.invocation.wantsJSON else {
            for variant in variants { printJSON(variant) }
            return .success
        }
        var table = TextTable("ROW", "EPOCH", "STEPS")
        for variant in variants {
            table.add(
                variant.example, "\(variant.epoch)",
                variant.appliedSteps.isEmpty
                    ? "untouched" : variant.appliedSteps.joined(separator: "; "))
        }
        verb.invocation.console.output(table.text)
        return .success
    }

    private func previewRequest() throws -> PreviewAugmentationRequest {
        var request = PreviewAugmentationRequest()
        request.dataset = try verb.dataset()
        let id = try verb.operand(0, "DATASET")
        request.examples = settings.list("row").map {
            ExampleName(dataset: id, rowID: $0).description
        }
        request.rowCount = UInt32(settings.integer("rows") ?? 0)
        request.variantCount = UInt32(settings.integer("variants") ?? 0)
        request.cellSidePixels = UInt32(settings.integer("cell") ?? 0)
        request.seed = UInt64(settings.integer("seed") ?? 0)
        request.epoch = UInt32(settings.integer("epoch") ?? 0)
        request.policy = try policy()
        return request
    }

    private func printJSON(_ variant: VariantRecord) {
        verb.invocation.printJSON { json in
            json.member("example", variant.example)
            json.member("epoch", Int(variant.epoch))
            json.key("steps")
            json.array { json in for step in variant.appliedSteps { json.value(step) } }
        }
    }
}

extension Bytes {
    /// Writes them to a file, in place of what was there.
    func write(toFile path: String) throws(ImportError) {
        do {
            try withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
        } catch {
            throw .unreadable(path, why: "the file cannot be written")
        }
    }
}

extension AugmentationStep {
    /// In words, such as "rotate, 50 %: at most 15.0 degrees".
    fileprivate var words: String {
        let share = (probability * 1_000).rounded() / 10
        switch transform {
        case .rotate(let turn)?:
            let step = turn.stepDegrees == 0 ? "" : " in steps of \(turn.stepDegrees)"
            return "rotate, \(share) %: at most \(turn.degreesMax) degrees\(step)"
        case .flip(let flip)?:
            let sides = [flip.horizontal ? "left-right" : "", flip.vertical ? "top-bottom" : ""]
            return "flip, \(share) %: " + sides.filter { !$0.isEmpty }.joined(separator: ", ")
        case .crop(let crop)?:
            return "crop, \(share) %: \(crop.areaShareMin) of the area or more,"
                + " aspect by at most \(crop.aspectFactorMax)"
        case .brightness(let light)?:
            return "brightness, \(share) %: \(light.factorMin) to \(light.factorMax)"
        case .contrast(let light)?:
            return "contrast, \(share) %: \(light.factorMin) to \(light.factorMax)"
        case .color(let color)?:
            return "color, \(share) %: saturation \(color.saturationMin) to"
                + " \(color.saturationMax), hue by \(color.hueDegreesMax) degrees"
        case .resolution(let scale)?: return "resolution, \(share) %: from \(scale.scaleMin)"
        case .blur(let blur)?: return "blur, \(share) %: up to \(blur.sigmaPixelsMax) pixels"
        case .sensorNoise(let noise)?:
            return "sensor_noise, \(share) %: up to \(noise.readLevelsMax) +"
                + " \(noise.shotLevelsMax) levels"
        case .jpeg(let jpeg)?:
            return "jpeg, \(share) %: quality \(jpeg.qualityMin) to \(jpeg.qualityMax)"
        case .perspective(let slant)?:
            return "perspective, \(share) %: corners by \(slant.cornerShareMax)"
        case nil: return "nothing"
        }
    }
}
