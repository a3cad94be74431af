package import Messages
package import Quality

// Rules of the contract as the code that applies them has them: the dataset service and the trainer
// compare answers and change images in the same way.

extension Quality.FieldRule {
    /// A rule of the contract.
    package init(_ rule: Messages.FieldRule) {
        let form: FieldForm =
            switch rule.normalizer {
            case .text: .text
            case .number: .number
            case .date: .date
            case .money: .money
            case .quantity: .quantity
            case .unorderedList: .unorderedList
            default: .exact
            }
        self.init(
            pointer: rule.pointer, form: form, tolerance: rule.tolerance, weight: rule.weight ?? 1)
    }
}

extension Transform {
    /// A change of the contract, its values unchecked.
    package init(_ message: Messages.AugmentationStep.Transform) {
        switch message {
        case .rotate(let turn):
            self = .rotate(
                degreesMax: turn.degreesMax, stepDegrees: Int(turn.stepDegrees),
                fillRGB: turn.fillRgb.map { $0 & 0xFFFFFF })
        case .flip(let flip):
            self = .flip(horizontal: flip.horizontal, vertical: flip.vertical)
        case .crop(let crop):
            self = .crop(
                areaShareMin: crop.areaShareMin,
                aspectFactorMax: crop.aspectFactorMax == 0 ? 1 : crop.aspectFactorMax)
        case .brightness(let light): self = .brightness(from: light.factorMin, to: light.factorMax)
        case .contrast(let light): self = .contrast(from: light.factorMin, to: light.factorMax)
        case .color(let color):
            self = .color(
                saturationFrom: color.saturationMin, to: color.saturationMax,
                hueDegreesMax: color.hueDegreesMax)
        case .resolution(let resolution): self = .resolution(scaleMin: resolution.scaleMin)
        case .blur(let blur): self = .blur(sigmaPixelsMax: blur.sigmaPixelsMax)
        case .sensorNoise(let noise):
            self = .sensorNoise(
                readLevelsMax: noise.readLevelsMax, shotLevelsMax: noise.shotLevelsMax)
        case .jpeg(let jpeg):
            self = .jpeg(qualityFrom: Int(jpeg.qualityMin), to: Int(jpeg.qualityMax))
        case .perspective(let slant): self = .perspective(cornerShareMax: slant.cornerShareMax)
        }
    }
}
