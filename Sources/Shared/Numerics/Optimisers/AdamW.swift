internal import CKernels
internal import Foundation

/// AdamW with decoupled weight decay, as torch's: the steps of each parameter are scaled by the
/// running means of its gradient and of the gradient's square.
///
///     m += (1 − β₁)(g − m)                    m̂ = m / (1 − β₁ⁿ)
///     v = β₂ v + (1 − β₂) g²                  v̂ = v / (1 − β₂ⁿ)
///     p = p (1 − rate · decay) − rate · m̂ / (√v̂ + epsilon)
package struct AdamW: Optimiser {
    /// How the running means are stored.
    package enum Storage: Hashable, Sendable {
        case float32
        /// A byte an element and a float32 scale a block of 256, as in `StateMap`; parameters of
        /// less than `elementsMin` elements stay float32.
        case bytes(elementsMin: Int = 4096)
    }

    /// Of all parameters, or of a group of them.
    package struct Options: Hashable, Sendable {
        /// The group's learning rate is that of the step times this.
        package var learningRateFactor = 1.0
        /// How much of the running means of the gradient and of its square a step keeps.
        package var firstBeta = 0.9, secondBeta = 0.999
        package var epsilon = 1e-8
        package var weightDecay = 0.01
        package var storage = Storage.float32

        package init() {}
    }

    package static let name = "adamw"
    private let groups: ParameterGroups<Options>

    package init(_ groups: ParameterGroups<Options> = ParameterGroups(Options())) {
        self.groups = groups
    }

    package func layout(of name: String, _ shape: Shape) -> [StatePart: StateLayout] {
        guard case .bytes(let elementsMin) = groups.options(of: name).storage,
            shape.count >= elementsMin
        else {
            let layout = StateLayout(shape: shape, type: .float32)
            return [.mean: layout, .square: layout]
        }
        let codes = StateLayout(shape: shape, type: .uint8)
        let scales = StateLayout(shape: [AdamW.blocks(of: shape)], type: .float32)
        return [
            .meanCodes: codes, .meanScales: scales, .squareCodes: codes, .squareScales: scales,
        ]
    }

    package func tables(on backend: any Backend) -> [Tensor] {
        let isFloat = groups.allOptions.allSatisfy { $0.storage == .float32 }
        return isFloat ? [] : StateMap.tables(on: backend)
    }

    package func step(
        _ p: Tensor, _ gradient: Tensor, _ parts: inout [StatePart: Tensor], _ step: OptimiserStep
    ) -> Tensor {
        let isFloat = parts[.mean] != nil
        let kept: [StatePart] =
            isFloat ? [.mean, .square] : [.meanCodes, .meanScales, .squareCodes, .squareScales]
        let old = kept.compactMap { parts[$0] }
        let new = old.map { Tensor.empty($0.shape, $0.type, on: $0.backend) }
        let y = Tensor.empty(p.shape, .float32, on: p.backend)
        let operands =
            [y.write] + new.map(\.write) + [p.read] + old.map(\.read)
            + [gradient.read, step.factor?.read] + (isFloat ? [] : step.tables.map(\.read))
        let block = Int(CK_STATE_BLOCK)
        p.backend.enqueue(
            Launch(
                Kernel(isFloat ? CK_adamw_f32 : CK_adamw8_f32, for: gradient.type), operands,
                numbers: [p.shape.count],
                scalars: groups.options(of: step.name).scalars(step),
                units: isFloat ? p.shape.count : AdamW.blocks(of: p.shape),
                grain: Launch.grain(elements: isFloat ? 1 : block)))
        for (part, tensor) in zip(kept, new) { parts[part] = tensor }
        return y
    }

    private static func blocks(of shape: Shape) -> Int {
        (shape.count + Int(CK_STATE_BLOCK) - 1) / Int(CK_STATE_BLOCK)
    }
}

extension AdamW.Options {
    /// The kernel's scalars, in the order of ops/adamw.h.
    fileprivate func scalars(_ step: OptimiserStep) -> [Float] {
        let rate = step.learningRate * learningRateFactor
        let meanCorrection = 1 - pow(firstBeta, Double(step.number))
        let rootCorrection = (1 - pow(secondBeta, Double(step.number))).squareRoot()
        return [
            1 - rate * weightDecay, 1 - firstBeta, secondBeta, 1 - secondBeta,
            rate * rootCorrection / meanCorrection, epsilon * rootCorrection,
        ].map { Float($0) }
    }
}
