internal import CKernels

/// The norm of all gradients together, and what to multiply them by so that it stays below a
/// maximum. Computed on the device; nothing waits until it is read.
package struct GradientNorm: Sendable {
    private let names: [String]
    /// The sum of squares of each gradient, `[count]`.
    private let squares: Tensor
    /// The norm, then the factor, `[2]`.
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
        squares = .concatenated(gradients.map { $0.tensor.sumOfSquares() })
        results = .empty([2], .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_clip_factor), [results.write, squares.read], numbers: [names.count],
                scalars: [scale, normMax ?? .infinity], units: 1, grain: 1))
    }

    /// `scale · min(1, normMax / (norm + 1e-6))`, float32, `[]`: the factor for `update`.
    package var factor: Tensor { results.rows(1..<2).reshaped([]) }

    /// Waits for the norm.
    /// - Returns: the norm after scaling and before clipping, and the gradients because of which
    ///   it is not finite: their sum of squares is no number or too large for float32
    package func read() -> (norm: Float, notFinite: [String]) {
        let values = Tensor.concatenated([results, squares]).floats()
        let notFinite = zip(names, values.dropFirst(2)).filter { !$0.1.isFinite }.map(\.0)
        return (values[0], notFinite)
    }
}

extension Tensor {
    /// One float32, `[1]`.
    fileprivate func sumOfSquares() -> Tensor {
        var partial = detached().blocks(CK_square_blocks_f32)
        while partial.shape.count > 1 { partial = partial.blocks(CK_sum_blocks_f32) }
        return partial
    }
}
