internal import CKernels

/// How a weight that is not trained is kept.
package enum WeightFormat: Hashable, Sendable {
    case float32, bfloat16, float16
    /// A signed byte for each element, a scale for each row.
    case int8
    /// Four bits an element, a scale for each group of a row, and a zero point if asymmetric.
    case int4(group: Int, asymmetric: Bool)
    /// The four-bit normal floats of bitsandbytes, a scale for 64 elements.
    case nf4
    /// The same with the scales rounded to bytes: bitsandbytes' double quantisation.
    case nf4Nested
}

/// A weight `[out, in]` packed once for products: forward, and for the gradient of their input.
/// Nothing ever unpacks more of it than a tile.
package struct FrozenWeight: Sendable {
    package let shape: Shape
    /// nil where it was packed for one product only.
    package let format: WeightFormat?
    let layout: ck_weight
    let values: Tensor
    /// By group and row: what codes are multiplied with, and what is subtracted before.
    var scales: Tensor?, zeros: Tensor?
    var group = 0
    /// What each code stands for, `[16]`.
    var table: Tensor?
    /// What the sums of each row of the weight are multiplied with, `[out]`.
    var columnScales: Tensor?
    /// Sums of the elements of each row of a weight of bytes, int32 `[out]`.
    var columnSums: Tensor?
    /// In which order its inputs are; nil for their own.
    var order: InputOrder?

    /// Whether a product with bfloat16 would lose precision of this weight.
    var isPrecise: Bool { layout == CK_WEIGHT_F32 || layout == CK_WEIGHT_F16 }
    /// Bytes it takes on its device.
    package var byteCount: Int {
        [values, scales, zeros, table, columnScales, columnSums]
            .reduce(order?.byteCount ?? 0) { $0 + ($1?.byteCount ?? 0) }
    }

    init(tiles: Tensor, shape: Shape) {
        (self.shape, values, format, layout) = (shape, tiles, nil, CK_WEIGHT_TILES)
    }

    init(_ format: WeightFormat, _ layout: ck_weight, values: Tensor, shape: Shape) {
        (self.shape, self.values, self.format, self.layout) = (shape, values, format, layout)
    }

    /// Packs a weight in its own type.
    /// - Parameter w: `[out, in]`
    package init(_ w: Tensor) {
        precondition(w.shape.rank == 2 && w.type.isFloat, "frozen: \(w.shape) of \(w.type)")
        let (format, layout): (WeightFormat, ck_weight) =
            switch w.type {
            case .bfloat16: (.bfloat16, CK_WEIGHT_BF16)
            case .float16: (.float16, CK_WEIGHT_F16)
            default: (.float32, CK_WEIGHT_F32)
            }
        let words = w.shape[1].divided(by: 4 / w.type.byteCount)
        let values = FrozenWeight.panels(of: w.shape, bytesPerRow: words * 4, on: w.backend)
        w.backend.enqueue(
            Launch(
                Kernel(CK_weight_pack_f32, for: w.type), [values.write, w.read],
                numbers: [w.shape[0], w.shape[1]], units: w.shape[0].divided(by: rowsPerPanel),
                grain: Launch.grain(elements: w.shape[1] * rowsPerPanel)))
        self.init(format, layout, values: values, shape: w.shape)
    }

    /// Quantises a weight and packs it.
    /// - Parameters:
    ///   - w: `[out, in]`
    ///   - format: a type of numbers converts
    package init(_ w: Tensor, as format: WeightFormat) {
        switch format {
        case .float32: self.init(w.converted(to: .float32))
        case .bfloat16: self.init(w.converted(to: .bfloat16))
        case .float16: self.init(w.converted(to: .float16))
        case .int8: self.init(Int8Weight(quantising: w))
        case .int4(let group, let asymmetric):
            self.init(Int4Weight(quantising: w, group: group, asymmetric: asymmetric))
        case .nf4: self.init(NF4Weight(quantising: w))
        case .nf4Nested: self.init(NF4Weight(quantising: w).nested(), as: .nf4Nested)
        }
    }

    /// The weight as products see it, `[out, in]`.
    /// - Parameter type: bfloat16 rounds as products of bfloat16 do
    package func dequantised(to type: DType) -> Tensor {
        let w = Tensor.empty(shape, .float32, on: values.backend)
        values.backend.enqueue(
            Launch(
                Kernel(CK_weight_unpack),
                [
                    w.write, values.read, scales?.read, zeros?.read, table?.read,
                    columnScales?.read,
                ],
                numbers: [Int(layout.rawValue), shape[0], shape[1], max(group, 1)],
                units: shape[0].divided(by: rowsPerPanel),
                grain: Launch.grain(elements: shape[1] * rowsPerPanel)))
        return (order?.undone(in: w) ?? w).converted(to: type)
    }

    /// Memory for whole panels, uninitialised.
    static func panels(of shape: Shape, bytesPerRow: Int, on backend: any Backend) -> Tensor {
        let panels = shape[0].divided(by: rowsPerPanel)
        return .empty([panels * rowsPerPanel, bytesPerRow], .uint8, on: backend)
    }
}

/// Rows of a weight that are packed together (TILE_COLUMNS in ops/tile.h).
let rowsPerPanel = 32

/// Codes of four bits with scales for groups, as files and quantisers have them.
struct Lut4Codes {
    let shape: Shape
    /// Row by row without gaps, two a byte, the first in the high half.
    let codes: Tensor
    /// float32, `[out, groups]`, or one for each block of all elements in sequence.
    let scales: Tensor
    /// float32, `[out, groups]`.
    var zeros: Tensor?
    /// Elements of a row that share a scale.
    let group: Int
    /// Elements of a block where scales are for blocks of the sequence, else 0.
    var block = 0
    /// What each code stands for.
    let table: [Float]
}

extension FrozenWeight {
    init(_ format: WeightFormat, _ w: Lut4Codes) {
        let (backend, groups) = (w.codes.backend, w.shape[1].divided(by: w.group))
        let values = FrozenWeight.panels(
            of: w.shape, bytesPerRow: w.shape[1].divided(by: 16) * 8, on: backend)
        let panels = w.shape[0].divided(by: rowsPerPanel)
        func perGroup() -> Tensor {
            .empty([panels, groups, rowsPerPanel], .float32, on: backend)
        }
        let (scales, zeros) = (perGroup(), w.zeros.map { _ in perGroup() })
        backend.enqueue(
            Launch(
                Kernel(CK_weight_pack_lut4),
                [
                    values.write, scales.write, zeros?.write, w.codes.read, w.scales.read,
                    w.zeros?.read,
                ],
                numbers: [w.shape[0], w.shape[1], w.group, w.block], units: panels,
                grain: Launch.grain(elements: w.shape[1] * rowsPerPanel)))
        self.init(format, CK_WEIGHT_LUT4, values: values, shape: w.shape)
        (self.scales, self.zeros, group) = (scales, zeros, w.group)
        table = Tensor(w.table, [16], on: backend)
    }
}
