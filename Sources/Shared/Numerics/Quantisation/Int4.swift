internal import CKernels

/// Four-bit whole numbers in groups along each row: w ≈ (code - zero) · scale.
package struct Int4Weight: Sendable {
    package let shape: Shape
    package let group: Int
    /// Two codes a byte, row by row without gaps, the first in the high half.
    package let codes: Tensor
    /// float32, `[out, ⌈in / group⌉]`
    package let scales: Tensor
    /// float32, like the scales; nil for a zero point of 8 everywhere
    package let zeros: Tensor?

    package init(shape: Shape, group: Int, codes: Tensor, scales: Tensor, zeros: Tensor?) {
        precondition(group > 0 && shape.rank == 2, "int4: groups of \(group), \(shape)")
        let groups = Shape([shape[0], shape[1].divided(by: group)])
        precondition(
            codes.byteCount >= shape.count.divided(by: 2) && codes.type == .uint8
                && scales.shape == groups && scales.type == .float32
                && zeros.map { $0.shape == groups && $0.type == .float32 } ?? true,
            "int4: \(shape), codes \(codes.shape), scales \(scales.shape), groups of \(group)")
        (self.shape, self.group) = (shape, group)
        (self.codes, self.scales, self.zeros) = (codes, scales, zeros)
    }

    /// Symmetric: scale = max |w| / 7. Asymmetric: scale = (max - min) / 15, and 0 stays exact.
    /// - Parameters:
    ///   - w: `[out, in]`
    ///   - group: elements of a row that share a scale; the last group may be shorter
    package init(quantising w: Tensor, group: Int, asymmetric: Bool) {
        precondition(
            w.shape.rank == 2 && w.type.isFloat && group > 0,
            "int4: \(w.shape) of \(w.type), groups of \(group)")
        (shape, self.group) = (w.shape, min(group, max(w.shape[1], 1)))
        let groups = Shape([shape[0], shape[1].divided(by: self.group)])
        codes = .empty([shape.count.divided(by: 2)], .uint8, on: w.backend)
        scales = .empty(groups, .float32, on: w.backend)
        zeros = asymmetric ? .empty(groups, .float32, on: w.backend) : nil
        w.backend.enqueue(
            Launch(
                Kernel(CK_quantise_i4_f32, for: w.type),
                [codes.write, scales.write, zeros?.write, w.read],
                numbers: [shape[0], shape[1], self.group], units: shape[0].divided(by: 2),
                grain: Launch.grain(elements: shape[1] * 2)))
    }
}

extension FrozenWeight {
    /// Packs a weight of four-bit whole numbers.
    package init(_ w: Int4Weight) {
        let middle: Float = w.zeros == nil ? 8 : 0
        self.init(
            .int4(group: w.group, asymmetric: w.zeros != nil),
            Lut4Codes(
                shape: w.shape, codes: w.codes, scales: w.scales, zeros: w.zeros, group: w.group,
                table: (0..<16).map { Float($0) - middle }))
    }
}
