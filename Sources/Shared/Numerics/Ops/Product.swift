internal import CKernels

/// How products are cut into work for threads. The cut changes no bit of a result.
private enum Blocks {
    /// Rows packed at a time, so that the packed copy stays small beside the tensor.
    static let slabRows = 2240
    /// Columns come in panels of this many (ops/tile.h); few rows take them in twos.
    static let panel = 32
    /// Parts of a product at least, so that every thread gets several.
    static let parts = 16
    /// A multiple of every tile's depth, so that each block is packed on its own.
    static let depth = 1024

    /// Rows whose packed block fits the second-level cache, beside the sums of the columns.
    /// float32, whose rows take more time to come, meets more columns with fewer of them.
    private static func most(_ kind: ck_product) -> (rows: Int, columns: Int) {
        kind == CK_PRODUCT_F32 ? (280, 512) : (560, 256)
    }

    static func rows(of count: Int, _ kind: ck_product) -> Int {
        count.divided(by: count.divided(by: most(kind).rows))
    }

    static func columns(of count: Int, rowBlocks: Int, _ kind: ck_product) -> Int {
        let pairs = count.divided(by: 2 * panel).divided(by: max(parts / rowBlocks, 1))
        return min(max(pairs, 1) * 2 * panel, most(kind).columns)
    }
}

extension Int {
    /// The quotient, rounded up.
    func divided(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}

/// The right operand of a product, `[depth, columns]`.
enum RightOperand {
    /// w `[columns, depth]`, or `[depth, columns]` if across; packed for this product.
    case plain(Tensor, across: Bool)
    /// A packed weight `[out, in]`: across, depth is `out`.
    case frozen(FrozenWeight, across: Bool)

    var columns: Int {
        switch self {
        case .plain(let w, let across): across ? w.shape.width : w.shape.rows
        case .frozen(let w, let across): across ? w.shape[1] : w.shape[0]
        }
    }

    var depth: Int {
        switch self {
        case .plain(let w, let across): across ? w.shape.rows : w.shape.width
        case .frozen(let w, let across): across ? w.shape[0] : w.shape[1]
        }
    }

    /// How it is multiplied with rows of a type: pairs of bfloat16 where neither side has more
    /// precision, else float32.
    func product(with type: DType) -> ck_product {
        let isPrecise =
            switch self {
            case .plain(let w, _): w.type != .bfloat16
            case .frozen(let w, _): w.isPrecise
            }
        return type == .bfloat16 && !isPrecise ? CK_PRODUCT_BF16 : CK_PRODUCT_F32
    }
}

/// A product of matrices and what is done with its sums on the way out.
///
///     out (+)= x B scale + bias + low.x low.bᵀ
struct Product {
    /// Left operand: `[rows, depth]`, or `[depth, rows]` if `across`.
    var x: Tensor
    var across = false
    let b: RightOperand
    /// `[columns]`, float32.
    var bias: Tensor?
    /// A second product of float32 with few columns: x `[rows, R]` and b `[columns, R]`, or
    /// `[R, columns]` if across.
    var low: (x: Tensor, b: Tensor, across: Bool)?

    /// Rounds each row of x to 8 bits; b is a weight of bytes.
    var quantisesRows = false

    private var rows: Int { across ? x.shape.width : x.shape.rows }

    /// - Parameter type: of the result, whatever the operands' types
    /// - Returns: `[rows, columns]`
    func callAsFunction(_ type: DType) -> Tensor {
        let out = Tensor.empty([rows, b.columns], type, on: x.backend)
        ordered.run(into: out, adding: false)
        guard case .frozen(let w, across: true) = b, let order = w.order else { return out }
        return order.undone(in: out)
    }

    /// Adds to a tensor `[rows, columns]` that nobody else has seen yet.
    func add(to out: Tensor) {
        if case .frozen(let w, across: true) = b {
            precondition(
                w.order == nil, "product: sums in another order than what they are added to")
        }
        ordered.run(into: out, adding: true)
    }

    /// With the layer's inputs in the order that the weight has them: as the depth of a product, or
    /// as its columns.
    private var ordered: Product {
        guard case .frozen(let w, let isAcross) = b, let order = w.order else { return self }
        precondition(!across && (low?.across ?? isAcross) == isAcross, "product: no such order")
        var product = self
        if isAcross {
            product.low = low.map { ($0.x, order.applied(to: $0.b), true) }
        } else {
            product.x = order.applied(to: x)
        }
        return product
    }

    private func run(into out: Tensor, adding: Bool) {
        precondition(
            (across ? x.shape.rows : x.shape.width) == b.depth && out.shape.rows == rows
                && out.shape.width == b.columns,
            "product: x \(x.shape), depth \(b.depth), columns \(b.columns), out \(out.shape)")
        guard out.shape.count > 0 else { return }
        let kind = quantisesRows ? CK_PRODUCT_I8 : b.product(with: x.type)
        let packedB = packedRight(kind)
        let lowB = low.map { x.backend.packedColumns($0.b, across: $0.across, CK_PRODUCT_F32) }
        for first in stride(from: 0, to: rows, by: Blocks.slabRows) {
            let slab = first..<min(first + Blocks.slabRows, rows)
            let packedA = packedLeft(slab, kind)
            let lowA = low.map {
                x.backend.packedRows(
                    $0.x, slab, across: false, CK_PRODUCT_F32, blocksOf: kind)
            }
            launch(
                out.rowRange(slab), kind, packedA, packedB,
                low: lowA.flatMap { a in
                    lowB.map { (a, $0) }
                }, adding: adding)
        }
    }

    private func packedLeft(_ rows: Range<Int>, _ kind: ck_product) -> PackedRows {
        guard quantisesRows else {
            return PackedRows(
                elements: x.backend.packedRows(x, rows, across: across, kind, blocksOf: kind))
        }
        return x.backend.quantisedRows(x.rowRange(rows))
    }

    private func packedRight(_ kind: ck_product) -> FrozenWeight {
        switch b {
        case .frozen(let w, _): w
        case .plain(let w, let across):
            FrozenWeight(
                tiles: x.backend.packedColumns(w, across: across, kind),
                shape: [b.columns, b.depth])
        }
    }

    private func launch(
        _ out: Tensor, _ kind: ck_product, _ a: PackedRows, _ w: FrozenWeight,
        low: (a: Tensor, b: Tensor)?, adding: Bool
    ) {
        let isAcross = if case .frozen(_, let across) = b { across } else { false }
        let rowBlock = Blocks.rows(of: out.shape.rows, kind)
        let rowBlocks = out.shape.rows.divided(by: rowBlock)
        let columnBlock = Blocks.columns(of: b.columns, rowBlocks: rowBlocks, kind)
        let units = rowBlocks * b.columns.divided(by: columnBlock)
        let numbers = [
            out.shape.rows, b.columns, b.depth, Int(kind.rawValue), Int(w.layout.rawValue),
            rowBlock, columnBlock, isAcross ? 1 : 0, w.shape[0], w.shape[1], w.group,
            self.low.map { $0.x.shape.width } ?? 0, adding ? 1 : 0,
        ]
        let operands: [Operand?] = [
            adding ? out.readWrite : out.write, a.elements.read, w.values.read,
            (isAcross ? w.scales ?? w.columnScales : w.scales)?.read,
            w.zeros?.read, w.table?.read, isAcross ? nil : w.columnScales?.read, bias?.read,
            low?.a.read, low?.b.read, a.scales?.read,
            quantisesRows ? w.columnSums?.read : nil,
        ]
        x.backend.enqueue(
            Launch(
                Kernel(CK_matmul_f32, for: out.type), operands, numbers: numbers, units: units,
                grain: Launch.grain(elements: b.depth * columnBlock)))
    }
}

/// A left operand as the backend packed it.
private struct PackedRows {
    let elements: Tensor
    /// Of each row, where the elements are whole numbers.
    var scales: Tensor?
}

extension Backend {
    /// Rows of a left operand, rounded to 8 bits and packed.
    fileprivate func quantisedRows(_ x: Tensor) -> PackedRows {
        let (rows, depth) = (x.shape.rows, x.shape.width)
        let elements = Tensor.empty([rows, depth, 4], .uint8, on: self)
        let scales = Tensor.empty([rows], .float32, on: self)
        enqueue(
            Launch(
                Kernel(CK_quantise_rows_f32, for: x.type),
                [elements.write, scales.write, x.read],
                numbers: [rows, depth, Blocks.rows(of: rows, CK_PRODUCT_I8)], units: rows,
                grain: Launch.grain(elements: depth)))
        return PackedRows(elements: elements, scales: scales)
    }

    /// Rows of a left operand, packed for products. What it looks like is the backend's affair.
    /// - Parameter blocksOf: the product whose blocks of rows it is packed in
    fileprivate func packedRows(
        _ x: Tensor, _ rows: Range<Int>, across: Bool, _ kind: ck_product,
        blocksOf: ck_product
    ) -> Tensor {
        let depth = across ? x.shape.rows : x.shape.width
        let source = across ? x : x.rowRange(rows)
        let packed = Tensor.empty([rows.count, depth, 4], .uint8, on: self)
        let block = Blocks.rows(of: rows.count, blocksOf)
        let units = rows.count.divided(by: block) * depth.divided(by: Blocks.depth)
        enqueue(
            Launch(
                Kernel(CK_pack_rows_f32, for: x.type),
                [packed.write, source.read(from: across ? rows.lowerBound : 0)],
                numbers: [
                    rows.count, depth, x.shape.width, across ? 1 : 0, Int(kind.rawValue), block,
                    Blocks.depth,
                ],
                units: units, grain: Launch.grain(elements: block * min(depth, Blocks.depth))))
        return packed
    }

    /// A right operand, packed for one kind of product.
    fileprivate func packedColumns(_ w: Tensor, across: Bool, _ kind: ck_product) -> Tensor {
        let columns = across ? w.shape.width : w.shape.rows
        let depth = across ? w.shape.rows : w.shape.width
        let panels = columns.divided(by: Blocks.panel)
        let packed = Tensor.empty([panels * Blocks.panel, depth, 4], .uint8, on: self)
        enqueue(
            Launch(
                Kernel(CK_pack_columns_f32, for: w.type), [packed.write, w.read],
                numbers: [columns, depth, w.shape.width, across ? 1 : 0, Int(kind.rawValue)],
                units: panels, grain: Launch.grain(elements: depth * Blocks.panel)))
        return packed
    }
}

extension Tensor {
    /// Some rows of `[N, D]`, as a view without history.
    package func rowRange(_ rows: Range<Int>) -> Tensor {
        let start = offset + rows.lowerBound * shape.width * type.byteCount
        return Tensor(
            shape: [rows.count, shape.width], type: type, buffer: buffer, offset: start)
    }

    /// What a kernel reads from an element on.
    fileprivate func read(from element: Int) -> Operand {
        let skipped = element * type.byteCount
        return Operand(
            buffer: buffer, offset: offset + skipped, byteCount: byteCount - skipped,
            access: .read)
    }
}
