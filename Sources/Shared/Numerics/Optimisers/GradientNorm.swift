internal import CKernels

/// The norm of all gradients together, and what to multiply them by so that it stays below a
/// maximum. Computed on the device; nothing waits until it is read.
package struct GradientNorm: Sendable {
    private let names: [String]
    /// Norm, factor, and the sum of squares of each gradient.
    private let results: Tensor

    /// - Parameters:
    ///   - gradients: one at least, in the order in which their squares are added
    ///   - scale: what they are still to be multiplied by, such as one over the count of tokens
    ///   - normMax: the largest norm, after scaling; nil for any
    package init(_ gradients: NamedTensors, scale: Float = 1, normMax: Float? = nil) {
        guard let backend = gradients.backend else {
            preconditionFailure("gradient norm: no gradients")
        }
        names = gradients.names
        results = .empty([2 + names.count], .float32, on: backend)
        for (place, entry) in gradients.enumerated() {
            entry.tensor.sumSquares(into: results.part(2 + place, count: 1))
        }
        backend.enqueue(
            Launch(
                Kernel(CK_clip_factor),
                [results.part(0, count: 2).write, results.part(2, count: names.count).read],
                numbers: [names.count], scalars: [scale, normMax ?? .infinity], units: 1, grain: 1))
    }

    /// `scale · min(1, normMax / (norm + 1e-6))`, float32, `[]`: the factor for `update`.
    package var factor: Tensor { results.part(1, count: 1).reshaped([]) }

    /// Waits for the norm.
    /// - Returns: the norm after scaling and before clipping, and the gradients because of which
    ///   it is not finite: their sum of squares is no number or too large for float32
    package func read() -> (norm: Float, notFinite: [String]) {
        let values = results.floats()
        let notFinite = zip(names, values.dropFirst(2)).filter { !$0.1.isFinite }.map(\.0)
        return (values[0], notFinite)
    }
}

extension Tensor {
    /// - Parameter sum: one float32
    fileprivate func sumSquares(into sum: Tensor) {
        let block = 4096
        var (source, kernel) = (self, Kernel(CK_sum_squares_f32, for: type))
        while true {
            let blocks = max((source.shape.count + block - 1) / block, 1)
            let target = blocks == 1 ? sum : .empty([blocks], .float32, on: backend)
            backend.enqueue(
                Launch(
                    kernel, [target.write, source.read], numbers: [source.shape.count, block],
                    units: blocks, grain: Launch.grain(elements: block)))
            if blocks == 1 { return }
            (source, kernel) = (target, Kernel(CK_sum_blocks_f32))
        }
    }

    /// A run of elements of a tensor of one axis.
    fileprivate func part(_ first: Int, count: Int) -> Tensor {
        Tensor(
            shape: [count], type: type, buffer: buffer, offset: offset + first * type.byteCount)
    }
}
