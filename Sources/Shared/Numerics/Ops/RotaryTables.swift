internal import CKernels
internal import Foundation

/// Stretches rotary frequencies over longer texts than the model was trained on.
package enum RotaryScaling: Hashable, Sendable {
    case none
    /// Positions count `1 / factor` each.
    case linear(factor: Float)
    /// The base grows with the length of the text in tokens, once it is over what the model was
    /// trained on.
    case dynamic(factor: Double, lengthTrained: Int, length: Int)
}

/// How fast each plane of a head turns, and with which position.
package struct RotaryFrequencies: Hashable, Sendable {
    /// Radians a position, `[K / 2]`.
    package let radians: [Float]
    /// Which of a row's positions turns each plane, `[K / 2]`.
    package let axes: [Int]

    /// One position a row:  frequency j = base^(-2j / K), in float32 as transformers has it.
    /// - Parameter width: K, even
    package init(width: Int, base: Double, scaling: RotaryScaling = .none) {
        precondition(width > 0 && width % 2 == 0, "rotary: heads of width \(width)")
        var base = base
        if case .dynamic(let factor, let trained, let length) = scaling {
            let stretch = factor * Double(max(length, trained)) / Double(trained) - (factor - 1)
            base *= pow(stretch, Double(width) / Double(width - 2))
        }
        let plain = (0..<width / 2).map { j in
            1 / powf(Float(base), Float(2 * j) / Float(width))
        }
        if case .linear(let factor) = scaling {
            radians = plain.map { $0 / factor }
        } else {
            radians = plain
        }
        axes = plain.map { _ in 0 }
    }

    private init(radians: [Float], axes: [Int]) {
        self.radians = radians
        self.axes = axes
    }

    /// The same frequencies shared out among several positions a row (M-RoPE).
    /// - Parameter sections: how many planes each position turns, in order; their sum is K / 2
    package func sectioned(_ sections: [Int]) -> RotaryFrequencies {
        precondition(
            sections.reduce(0, +) == radians.count, "rotary: \(sections) of \(radians.count)")
        return RotaryFrequencies(
            radians: radians,
            axes: sections.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) })
    }

    /// For patches of an image: row and column turn half of the planes each, with the frequencies
    /// of a head of half the width.
    /// - Parameter width: K, a multiple of 4
    package static func ofPatches(width: Int, base: Double) -> RotaryFrequencies {
        precondition(width % 4 == 0, "rotary: heads of width \(width) for patches")
        let half = RotaryFrequencies(width: width / 2, base: base).radians
        return RotaryFrequencies(
            radians: half + half, axes: half.map { _ in 0 } + half.map { _ in 1 })
    }

    /// The angles of rows. One table serves the queries and keys of every layer of a step.
    /// - Parameter positions: int32 `[N]`, or `[A, N]` where planes turn with A positions a row
    package func tables(at positions: Tensor) -> RotaryTables {
        let given = positions.shape.rank == 1 ? 1 : positions.shape[0]
        precondition(
            positions.type == .int32 && positions.shape.rank <= 2
                && given > (axes.max() ?? 0),
            "rotary: positions \(positions.shape) of \(positions.type), axes \(axes)")
        let backend = positions.backend
        let shape: Shape = [positions.shape.width, radians.count]
        let cosines = Tensor.empty(shape, .float32, on: backend)
        let sines = Tensor.empty(shape, .float32, on: backend)
        let frequencies = Tensor(radians, [radians.count], on: backend)
        let planes = Tensor(axes.map(Int32.init), on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_rotary_angles),
                [cosines.write, sines.write, positions.read, frequencies.read, planes.read],
                numbers: [shape[0], shape[1]], scalars: [1], units: shape[0],
                // A cosine and a sine cost about as much as 16 elements of other ops.
                grain: Launch.grain(elements: 16 * radians.count)))
        return RotaryTables(cosines: cosines, sines: sines)
    }
}

/// The angles by which the rows of a batch are turned.
package struct RotaryTables: Sendable {
    /// float32 `[N, K / 2]`
    package let cosines: Tensor
    /// float32 `[N, K / 2]`
    package let sines: Tensor

    package init(cosines: Tensor, sines: Tensor) {
        precondition(
            cosines.shape == sines.shape && cosines.shape.rank == 2
                && cosines.type == .float32 && sines.type == .float32,
            "rotary: cosines \(cosines.shape) of \(cosines.type), "
                + "sines \(sines.shape) of \(sines.type)")
        self.cosines = cosines
        self.sines = sines
    }
}
