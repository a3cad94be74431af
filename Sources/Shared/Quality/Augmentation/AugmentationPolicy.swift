import Base
import Foundation

/// What the images show, as far as augmentation goes.
package enum AugmentationDomain: String, Sendable, CaseIterable {
    /// Pages, forms, receipts: text has an upright and a reading direction.
    case document
    /// Surfaces and parts under inspection.
    case defect
    /// Left and right have a meaning.
    case medical
    /// Seen from above: no direction is up.
    case aerial
    case generic
}

/// What may happen to training images, in order.
package struct AugmentationPolicy: Sendable, Hashable {
    package let steps: [AugmentationStep]
    /// Share of rows left as they are, 0 to 1.
    package let untouchedShare: Double

    package static let stepsMax = 32

    package init(steps: [AugmentationStep], untouchedShare: Double = 0) {
        (self.steps, self.untouchedShare) = (steps, untouchedShare)
    }

    /// The changes that production brings to images of a domain.
    package static func preset(_ domain: AugmentationDomain) -> AugmentationPolicy {
        AugmentationPolicy(steps: geometry(domain) + light(domain), untouchedShare: 0.2)
    }

    /// This policy on top of another: steps of the same kind take the place of those there.
    package func over(_ base: AugmentationPolicy) -> AugmentationPolicy {
        let own = Set(steps.map(\.transform.name))
        let kept = base.steps.filter { !own.contains($0.transform.name) }
        return AugmentationPolicy(steps: kept + steps, untouchedShare: untouchedShare)
    }

    private static func geometry(_ domain: AugmentationDomain) -> [AugmentationStep] {
        switch domain {
        case .document:
            [
                AugmentationStep(0.5, .rotate(degreesMax: 3, stepDegrees: 0, fillRGB: 0xFFFFFF)),
                AugmentationStep(0.3, .crop(areaShareMin: 0.95, aspectFactorMax: 1)),
                AugmentationStep(0.3, .perspective(cornerShareMax: 0.03)),
            ]
        case .defect:
            [
                AugmentationStep(0.5, .rotate(degreesMax: 15, stepDegrees: 0, fillRGB: nil)),
                AugmentationStep(0.5, .flip(horizontal: true, vertical: true)),
                AugmentationStep(0.3, .crop(areaShareMin: 0.85, aspectFactorMax: 1.1)),
            ]
        case .medical:
            [
                AugmentationStep(0.5, .rotate(degreesMax: 7, stepDegrees: 0, fillRGB: 0)),
                AugmentationStep(0.3, .crop(areaShareMin: 0.9, aspectFactorMax: 1)),
            ]
        case .aerial:
            [
                AugmentationStep(0.75, .rotate(degreesMax: 180, stepDegrees: 90, fillRGB: nil)),
                AugmentationStep(0.5, .flip(horizontal: true, vertical: true)),
                AugmentationStep(0.5, .crop(areaShareMin: 0.7, aspectFactorMax: 1.1)),
            ]
        case .generic:
            [
                AugmentationStep(0.3, .rotate(degreesMax: 10, stepDegrees: 0, fillRGB: nil)),
                AugmentationStep(0.5, .flip(horizontal: true, vertical: false)),
                AugmentationStep(0.5, .crop(areaShareMin: 0.8, aspectFactorMax: 1.2)),
            ]
        }
    }

    private static func light(_ domain: AugmentationDomain) -> [AugmentationStep] {
        var steps = [
            AugmentationStep(0.4, .brightness(from: 0.8, to: 1.2)),
            AugmentationStep(0.4, .contrast(from: 0.8, to: 1.2)),
            AugmentationStep(0.2, .resolution(scaleMin: domain == .document ? 0.6 : 0.5)),
            AugmentationStep(0.2, .blur(sigmaPixelsMax: domain == .document ? 0.8 : 1.5)),
            AugmentationStep(0.2, .sensorNoise(readLevelsMax: 6, shotLevelsMax: 6)),
        ]
        // Medical images come as the device stored them, and colours there are findings.
        if domain != .medical {
            steps.append(AugmentationStep(0.3, .jpeg(qualityFrom: 50, to: 95)))
        }
        if domain == .generic || domain == .aerial {
            steps.append(
                AugmentationStep(0.3, .color(saturationFrom: 0.7, to: 1.3, hueDegreesMax: 10)))
        }
        return steps
    }
}

extension AugmentationPolicy {
    /// The changes that one example gets in one epoch, with their values: the same for the same
    /// numbers at any time. A step's values do not move when other kinds of steps are added.
    package func drawn(seed: UInt64, epoch: Int, example: UInt64) -> [AppliedTransform] {
        let key = RandomKey(seed: seed).child(epoch).child(Int(truncatingIfNeeded: example))
            .child("augmentation")
        if Double(key.child("untouched").uniform(at: 0)) < untouchedShare { return [] }
        var repeats: [String: Int] = [:]
        return steps.compactMap { step in
            let name = step.transform.name
            let number = repeats[name, default: 0]
            repeats[name] = number + 1
            let draws = Draws(key: key.child(name).child(number))
            return draws.uniform(0) < step.probability ? step.transform.applied(draws) : nil
        }
    }
}

/// Numbers of one step by their place.
private struct Draws {
    let key: RandomKey

    func uniform(_ index: Int) -> Double { Double(key.uniform(at: index)) }

    func between(_ low: Double, _ high: Double, _ index: Int) -> Double {
        low + (high - low) * uniform(index)
    }

    /// Even in the logarithm, so that halving is as likely as doubling.
    func factor(_ low: Double, _ high: Double, _ index: Int) -> Double {
        low * pow(high / low, uniform(index))
    }
}

extension Transform {
    /// The change with values; nil if they come to nothing.
    fileprivate func applied(_ draws: Draws) -> AppliedTransform? {
        switch self {
        case .rotate(let most, let step, let fill):
            guard step > 0 else {
                return .rotate(degrees: draws.between(-most, most, 1), fillRGB: fill)
            }
            // -180 and 180 are one, so each angle is as likely as any other.
            let side = Int(most) / step
            let count = side * step == 180 ? 2 * side : 2 * side + 1
            let turns = min(count - 1, Int(draws.uniform(1) * Double(count)))
            let degrees = Double((turns - side) * step + (count == 2 * side ? step : 0))
            return degrees == 0 ? nil : .rotate(degrees: degrees, fillRGB: fill)
        case .flip(let horizontal, let vertical):
            // Where both are allowed each of the three changes is as likely.
            let choice = horizontal && vertical ? min(2, Int(draws.uniform(1) * 3)) : -1
            let across = horizontal && choice != 1
            let down = vertical && choice != 0
            return across || down ? .flip(horizontal: across, vertical: down) : nil
        case .crop(let least, let aspect):
            return crop(areaShareMin: least, aspectFactorMax: max(1, aspect), draws)
        case .brightness(let low, let high):
            return .brightness(factor: draws.factor(low, high, 1))
        case .contrast(let low, let high): return .contrast(factor: draws.factor(low, high, 1))
        case .color(let low, let high, let hue):
            return .color(
                saturation: draws.between(low, high, 1), hueDegrees: draws.between(-hue, hue, 2))
        case .resolution(let least): return .resolution(scale: draws.between(least, 1, 1))
        case .blur(let most): return .blur(sigmaPixels: draws.between(0, most, 1))
        case .sensorNoise(let read, let shot):
            let seed = UInt64(draws.key.word(at: 4)) << 32 | UInt64(draws.key.word(at: 5))
            return .sensorNoise(
                readLevels: draws.between(0, read, 1), shotLevels: draws.between(0, shot, 2),
                seed: seed)
        case .jpeg(let low, let high):
            let span = Double(high - low + 1)
            return .jpeg(quality: min(high, low + Int(draws.uniform(1) * span)))
        case .perspective(let most):
            return .perspective(corners: (1...8).map { draws.between(0, most, $0) })
        }
    }

    private func crop(
        areaShareMin: Double, aspectFactorMax: Double, _ draws: Draws
    ) -> AppliedTransform {
        let area = draws.between(areaShareMin, 1, 1)
        let aspect = draws.factor(1 / aspectFactorMax, aspectFactorMax, 2)
        // A side is never longer than the image: the aspect gives way, the area stays.
        let width = min(1, max(area, (area * aspect).squareRoot()))
        let height = min(1, area / width)
        return .crop(
            x: draws.between(0, 1 - width, 3), y: draws.between(0, 1 - height, 4), width: width,
            height: height)
    }
}
