internal import CKernels

/// Keys and values of one layer for many sequences, in pages that any sequence may own. Memory that
/// changes: it has one owner, whose calls take effect in their order. Who owns which page is not
/// its business.
package final class KeyValuePages {
    package let pages: Int
    /// Rows of a page: a power of 2 up to 128 gives results that have the bits of attention over
    /// contiguous rows.
    package let pageRows: Int
    /// G
    package let keyHeads: Int
    /// K
    package let headWidth: Int
    /// What keys and values are written from, and of what type queries and results are.
    package let type: DType

    /// `[pages, G, pageRows, K]`, of `type` or int8, in an order within a page and head that is the
    /// kernels' own (ops/page_tiles.h). Tensors only in that they name memory.
    private let k, v: Tensor
    /// float32 `[pages, G, pageRows]`, where the pages are int8.
    private let kScales, vScales: Tensor?

    /// - Parameter compressed: int8 with a scale for each row and head, instead of `type`
    package init(
        pages: Int, pageRows: Int, heads: (count: Int, width: Int), type: DType,
        compressed: Bool = false, on backend: any Backend
    ) {
        precondition(
            pages > 0 && pageRows > 0 && heads.count > 0 && (1...256).contains(heads.width)
                && type.isFloat,
            "pages: \(pages) of \(pageRows) rows of \(heads) of \(type)")
        (self.pages, self.pageRows, self.type) = (pages, pageRows, type)
        (keyHeads, headWidth) = (heads.count, heads.width)
        let shape: Shape = [pages, heads.count, pageRows, heads.width]
        let stored: DType = compressed ? .int8 : type
        k = Tensor.empty(shape, stored, on: backend)
        v = Tensor.empty(shape, stored, on: backend)
        let scales: Shape = [pages, heads.count, pageRows]
        kScales = compressed ? Tensor.empty(scales, .float32, on: backend) : nil
        vScales = compressed ? Tensor.empty(scales, .float32, on: backend) : nil
    }

    /// Bytes of all pages.
    package var byteCount: Int {
        [k, v, kScales, vScales].reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }

    /// Writes rows into pages.
    /// - Parameters:
    ///   - newK: `[N, G, K]`
    ///   - newV: `[N, G, K]`
    ///   - slots: int32 `[N]`: page · pageRows + row of the page, within the pages; negative for
    ///     rows that are not kept. No two are the same.
    package func write(_ newK: Tensor, _ newV: Tensor, at slots: Tensor) {
        let shape: Shape = [slots.shape.count, keyHeads, headWidth]
        precondition(
            newK.shape == shape && newV.shape == shape && slots.type == .int32,
            "pages: k \(newK.shape), v \(newV.shape), slots \(slots.shape) of \(slots.type), "
                + "\(keyHeads) heads of \(headWidth)")
        precondition(
            newK.type == type && newV.type == type, "pages: \(newK.type) into pages of \(type)")
        k.backend.enqueue(
            Launch(
                Kernel(CK_attention_pages_f32, for: type),
                [
                    k.readWrite, v.readWrite, kScales?.readWrite, vScales?.readWrite, newK.read,
                    newV.read, slots.read,
                ],
                numbers: [keyHeads, headWidth, pageRows], units: shape[0],
                grain: Launch.grain(elements: 2 * keyHeads * headWidth)))
    }

    /// Attention of the last rows of sequences to all their rows: one row each in decoding, more in
    /// chunked prefill. The rows themselves are written before.
    ///
    /// - Parameters:
    ///   - q: `[N, H, K]`
    ///   - table: where the rows of each sequence are
    ///   - scale: above 0; 1 / √K in every family here
    /// - Returns: `[N, H, K]`
    package func attention(_ q: Tensor, _ table: PageTable, scale: Float) -> Tensor {
        precondition(
            q.shape.rank == 3 && q.shape[0] == table.segments.queryRows
                && q.shape[1] % keyHeads == 0 && q.shape[2] == headWidth && q.type == type,
            "pages: q \(q.shape) of \(q.type), \(table.segments.queryRows) rows, "
                + "\(keyHeads) heads of \(headWidth) of \(type)")
        precondition(
            table.pageRows == pageRows && table.pageMax < pages && scale > 0,
            "pages: \(pages) of \(pageRows) rows, table of \(table.pageRows) rows "
                + "with page \(table.pageMax), scale \(scale)")
        let shapes = AttentionItems.Shapes(
            queryHeads: q.shape[1], keyHeads: keyHeads, headWidth: headWidth, causal: true)
        let items = AttentionItems(table.segments, shapes, keyPlaces: table.places)
        let keys = AttentionItems.Keys(
            k: k.read, v: v.read, pages: table.numbers.read, pageRows: pageRows,
            kScales: kScales?.read, vScales: vScales?.read)
        return items.attend(q, keys, logs: nil, scale: scale)
    }
}

/// Which pages hold the rows of each sequence of a batch: made once a step, for all layers.
package struct PageTable: Sendable {
    package let segments: Segments
    package let pageRows: Int
    /// The pages of all sequences one after another, int32.
    let numbers: Tensor
    /// Where in them each sequence begins.
    let places: [Int]
    /// The largest page number.
    let pageMax: Int32

    /// - Parameters:
    ///   - segments: new rows and all rows of each sequence
    ///   - pages: for each sequence its pages, in order; the last may be partly filled
    package init(
        _ segments: Segments, pages: [[Int32]], pageRows: Int, on backend: any Backend
    ) {
        precondition(
            pages.count == segments.count && segments.hasKeysForQueries,
            "page table: \(pages.count) rows for \(segments.count) sequences")
        for (index, some) in pages.enumerated() {
            let keys = segments.keyRows(of: index).count
            precondition(
                some.count * pageRows >= keys && some.allSatisfy { $0 >= 0 },
                "page table: pages \(some) of \(pageRows) rows for \(keys) keys")
        }
        self.segments = segments
        self.pageRows = pageRows
        numbers = Tensor(pages.flatMap { $0 }, on: backend)
        places = pages.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        pageMax = pages.joined().max() ?? -1
    }
}
