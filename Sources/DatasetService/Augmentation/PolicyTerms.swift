import Base
import Digests
import Messages
import Quality
import Resources

/// A policy as a client sent it, completed and checked for a dataset.
struct PolicyTerms: Sendable {
    let policy: Quality.AugmentationPolicy
    /// Steps that are allowed but unusual.
    let warnings: [Problem]

    /// - Parameter answersNameColors: whether a change of colour would make answers wrong
    init(
        _ asked: Messages.AugmentationPolicy, domain: ImageDomain, answersNameColors: Bool
    ) throws(AugmentationError) {
        let domain = AugmentationDomain(domain)
        let named = try Quality.AugmentationPolicy(asked)
        if asked.usePreset {
            // What the preset brings is no wish of the caller: a step that cannot be is left out.
            let preset = Quality.AugmentationPolicy.preset(domain)
            let fitting = preset.steps.filter { step in
                !answersNameColors || step.transform.name != "color"
            }
            let whole = named.over(Quality.AugmentationPolicy(steps: fitting))
            let share = asked.untouchedShare == 0 ? preset.untouchedShare : asked.untouchedShare
            policy = Quality.AugmentationPolicy(steps: whole.steps, untouchedShare: share)
        } else {
            policy = named
        }
        let problems = policy.problems(for: domain, answersNameColors: answersNameColors)
        let refusals = problems.filter(\.isRefusal)
        guard refusals.isEmpty else { throw .refused(refusals) }
        warnings = problems.map { problem in
            .with {
                $0.reason = .transformForbidden
                $0.field = "policy.\(problem.field)"
                $0.message = problem.message
            }
        }
    }

    /// The policy as it is stored, with the digest over what it does.
    func message(usedPreset: Bool) throws -> Messages.AugmentationPolicy {
        var message = Messages.AugmentationPolicy()
        message.steps = policy.steps.map { Messages.AugmentationStep($0) }
        message.untouchedShare = policy.untouchedShare
        message.policySha256 = try message.encoded().sha256.hex
        message.usePreset = usedPreset
        return message
    }
}

extension AugmentationDomain {
    /// The domain of a dataset; generic where none is named.
    init(_ domain: ImageDomain) {
        switch domain {
        case .document: self = .document
        case .defect: self = .defect
        case .medical: self = .medical
        case .aerial: self = .aerial
        default: self = .generic
        }
    }
}

extension Quality.AugmentationPolicy {
    /// Steps and share of a message, unchecked but for each step being one.
    init(_ message: Messages.AugmentationPolicy) throws(AugmentationError) {
        var steps: [Quality.AugmentationStep] = []
        for (index, step) in message.steps.enumerated() {
            guard let transform = step.transform else {
                throw .refused([
                    PolicyProblem(
                        field: "steps[\(index)]", message: "no transform is given; one is needed",
                        severity: .invalid)
                ])
            }
            steps.append(Quality.AugmentationStep(step.probability, Transform(transform)))
        }
        self.init(steps: steps, untouchedShare: message.untouchedShare)
    }
}

extension Messages.AugmentationStep {
    init(_ step: Quality.AugmentationStep) {
        self.init()
        probability = step.probability
        transform = Self.message(step.transform)
    }

    private static func message(_ transform: Quality.Transform) -> Transform {
        switch transform {
        case .rotate(let most, let step, let fill):
            .rotate(
                .with { ($0.degreesMax, $0.stepDegrees, $0.fillRgb) = (most, UInt32(step), fill) })
        case .flip(let horizontal, let vertical):
            .flip(.with { ($0.horizontal, $0.vertical) = (horizontal, vertical) })
        case .crop(let area, let aspect):
            .crop(.with { ($0.areaShareMin, $0.aspectFactorMax) = (area, aspect) })
        case .brightness(let low, let high):
            .brightness(.with { ($0.factorMin, $0.factorMax) = (low, high) })
        case .contrast(let low, let high):
            .contrast(.with { ($0.factorMin, $0.factorMax) = (low, high) })
        case .color(let low, let high, let hue):
            .color(
                .with { ($0.saturationMin, $0.saturationMax, $0.hueDegreesMax) = (low, high, hue) })
        case .resolution(let scale): .resolution(.with { $0.scaleMin = scale })
        case .blur(let sigma): .blur(.with { $0.sigmaPixelsMax = sigma })
        case .sensorNoise(let read, let shot):
            .sensorNoise(.with { ($0.readLevelsMax, $0.shotLevelsMax) = (read, shot) })
        case .jpeg(let low, let high):
            .jpeg(.with { ($0.qualityMin, $0.qualityMax) = (UInt32(low), UInt32(high)) })
        case .perspective(let share): .perspective(.with { $0.cornerShareMax = share })
        }
    }
}
