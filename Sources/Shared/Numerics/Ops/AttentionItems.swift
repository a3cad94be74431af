internal import CKernels

/// How the work of an attention is cut: each item is some queries of one sequence with keys that
/// they see. Results do not depend on the cut.
struct AttentionItems {
    /// The shapes that the cut depends on.
    struct Shapes {
        let queryHeads: Int
        let keyHeads: Int
        let headWidth: Int
        let causal: Bool

        /// Query heads that share a key head.
        var group: Int { queryHeads / keyHeads }
        /// Numbers of a row of sums: whole panels, the largest score and the total.
        var sumsWidth: Int { (headWidth + 31) / 32 * 32 + 2 }
    }

    /// As in ops/attention.h and ops/attention_gradient.h.
    struct Item {
        var query = 0
        var queries = 0
        var keyPlace = 0
        var seen = 0
        var keys = 0..<0
        var sums = -1

        var entries: [Int32] {
            [query, queries, keyPlace, seen, keys.lowerBound, keys.upperBound, sums]
                .map(Int32.init)
        }
        /// Pairs of a query and a key that it sees, about.
        var cost: Int { queries * keys.count }
    }

    /// Rows (queries times heads) for which keys are packed once, at most: more no longer pay.
    private static let rowsMax = 512
    /// As many rows meet a block of keys at once.
    private static let rowsMin = Int(CK_ATTENTION_ROWS)
    /// Units of work that keep many threads busy.
    private static let unitsWanted = 64

    private(set) var items: [Item] = []
    /// Rows of sums that items of parts of the keys need.
    private(set) var sumsRows = 0
    /// Entries of the queries whose parts are joined, one after another.
    private(set) var joins: [Int32] = []
    private let shapes: Shapes

    /// - Parameter keyPlaces: for each sequence its first key row, or where its pages begin
    init(_ segments: Segments, _ shapes: Shapes, keyPlaces: [Int]) {
        self.shapes = shapes
        var rows = AttentionItems.rowsMax
        repeat {
            (items, joins, sumsRows) = ([], [], 0)
            for index in 0..<segments.count {
                cut(segments, index, keyPlaces[index], queries: max(rows / shapes.group, 1))
            }
            rows /= 2
        } while rows >= AttentionItems.rowsMin && units < AttentionItems.unitsWanted
        // Long ones first, so that no thread is left with one at the end.
        items.sort { $0.cost > $1.cost }
    }

    var units: Int { items.count * shapes.keyHeads }

    /// Units of about 10 us.
    var grain: Int {
        let products = items.reduce(0) { $0 + $1.cost } * shapes.queryHeads * shapes.headWidth
        return max(units * 500_000 / max(products, 1), 1)
    }

    private mutating func cut(
        _ segments: Segments, _ index: Int, _ keyPlace: Int, queries most: Int
    ) {
        let (rows, keys) = (segments.queryRows(of: index), segments.keyRows(of: index).count)
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: most) {
            var item = Item(query: first, queries: min(most, rows.upperBound - first))
            item.keyPlace = keyPlace
            item.seen = shapes.causal ? keys - (rows.upperBound - first) + 1 : keys
            item.keys = 0..<(shapes.causal ? item.seen + item.queries - 1 : keys)
            append(item)
        }
    }

    /// Cuts the keys too where they are many and the rows few: as in decoding.
    private mutating func append(_ item: Item) {
        let part = Int(CK_ATTENTION_PART)
        let parts = (item.keys.count + part - 1) / part
        guard parts > 1, item.queries * shapes.group <= AttentionItems.rowsMin else {
            items.append(item)
            return
        }
        for query in 0..<item.queries {
            let entries = [item.query + query, item.queries, query, sumsRows, parts]
            joins.append(contentsOf: entries.map(Int32.init))
        }
        for first in stride(from: 0, to: item.keys.count, by: part) {
            var some = item
            some.keys = first..<min(first + part, item.keys.count)
            some.sums = sumsRows
            sumsRows += item.queries * shapes.queryHeads
            items.append(some)
        }
    }
}

extension AttentionItems {
    /// Where keys and values are.
    struct Keys {
        let k, v: Operand
        /// Page numbers, rows of a page, and scales of int8 pages.
        var pages: Operand?
        var pageRows = 1
        var kScales, vScales: Operand?
    }

    /// Runs the attention.
    /// - Parameter scale: of scores
    /// - Returns: out `[N, H, K]`; logs float32 `[N, H]` are filled if given
    func attend(_ q: Tensor, _ keys: Keys, logs: Tensor?, scale: Float) -> Tensor {
        let backend = q.backend
        let y = Tensor.empty(q.shape, q.type, on: backend)
        let sums =
            joins.isEmpty
            ? nil : Tensor.empty([sumsRows, shapes.sumsWidth], .float32, on: backend)
        let numbers = [shapes.queryHeads, shapes.keyHeads, shapes.headWidth]
        backend.enqueue(
            Launch(
                Kernel(CK_attention_f32, for: q.type),
                [
                    y.write, logs?.write, q.read, keys.k, keys.v,
                    Tensor(items.flatMap(\.entries), on: backend).read, keys.pages, sums?.write,
                    keys.kScales, keys.vScales,
                ],
                numbers: numbers + [shapes.causal ? 1 : 0, keys.pageRows],
                scalars: [scale * AttentionItems.log2e], units: units, grain: grain))
        guard let sums else { return y }
        backend.enqueue(
            Launch(
                Kernel(CK_attention_join_f32, for: q.type),
                [
                    y.readWrite, logs?.readWrite, sums.readWrite,
                    Tensor(joins, on: backend).read,
                ],
                numbers: numbers,
                units: joins.count / Int(CK_ATTENTION_JOIN) * shapes.queryHeads,
                grain: Launch.grain(elements: 4 * shapes.headWidth)))
        return y
    }

    /// Weights are powers of 2 in the kernels.
    static let log2e: Float = 1.442_695_04
}
