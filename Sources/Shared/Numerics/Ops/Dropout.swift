package import Base
internal import CKernels

extension Tensor {
    /// Sets elements to zero at random and scales the others by 1 / (1 − p), so that the mean
    /// stays. Which ones depends on the key alone; the gradient draws them again.
    /// - Parameter p: the probability of each element to go, at least 0 and below 1
    /// - Returns: same shape as self
    package func dropout(_ p: Float, _ key: RandomKey) -> Tensor {
        precondition(p >= 0 && p < 1, "dropout: p is \(p), of \(shape)")
        guard p > 0 else { return self }
        return dropped(p, key).recorded("dropout", inputs: [self]) { dy, _ in
            [dy.dropped(p, key)]
        }
    }

    private func dropped(_ p: Float, _ key: RandomKey) -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        // Words below this one are a share p of all words; p < 1 keeps it within 32 bits.
        let threshold = Int(p * 0x1p32)
        backend.enqueue(
            Launch(
                Kernel(CK_dropout_f32, for: type), [y.write, read],
                numbers: [shape.count] + key.numbers + [threshold], scalars: [1 / (1 - p)],
                units: RandomKey.units(shape.count),
                grain: Launch.grain(elements: 4 * Int(CK_RANDOM_BLOCK))))
        return y
    }
}
