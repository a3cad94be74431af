internal import CKernels

/// Signed bytes with a scale for each row: w ≈ value · scale.
package struct Int8Weight: Sendable {
    /// int8, `[out, in]`, -127...127
    package let values: Tensor
    /// float32, `[out]`
    package let scales: Tensor

    package init(values: Tensor, scales: Tensor) {
        precondition(
            values.type == .int8 && values.shape.rank == 2 && scales.type == .float32
                && scales.shape == [values.shape[0]],
            "int8: values \(values.shape) of \(values.type), scales \(scales.shape)")
        (self.values, self.scales) = (values, scales)
    }

    /// scale = max |w| / 127 of each row.
    /// - Parameter w: `[out, in]`
    package init(quantising w: Tensor) {
        precondition(w.shape.rank == 2 && w.type.isFloat, "int8: \(w.shape) of \(w.type)")
        values = .empty(w.shape, .int8, on: w.backend)
        scales = .empty([w.shape[0]], .float32, on: w.backend)
        w.backend.enqueue(
            Launch(
                Kernel(CK_quantise_i8_f32, for: w.type), [values.write, scales.write, w.read],
                numbers: [w.shape[1]], units: w.shape[0],
                grain: Launch.grain(elements: w.shape[1])))
    }
}

extension FrozenWeight {
    /// Packs a weight of bytes.
    package init(_ w: Int8Weight) {
        let shape = w.values.shape
        let bytesPerRow = shape[1].divided(by: 4) * 4
        let values = FrozenWeight.panels(
            of: shape, bytesPerRow: bytesPerRow, on: w.values.backend)
        let sums = Tensor.empty([shape[0]], .int32, on: w.values.backend)
        w.values.backend.enqueue(
            Launch(
                Kernel(CK_weight_pack_i8), [values.write, sums.write, w.values.read],
                numbers: [shape[0], shape[1]], units: shape[0].divided(by: rowsPerPanel),
                grain: Launch.grain(elements: shape[1] * rowsPerPanel)))
        self.init(.int8, CK_WEIGHT_I8, values: values, shape: shape)
        (columnScales, columnSums) = (w.scales, sums)
    }
}
