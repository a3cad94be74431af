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

    /// A query's rows times heads that are packed keys' worth, at most: more no longer pay.
    private static let rowsMax = 512
    /// As many rows meet a block of keys at once.
    private static let rowsMin = Int(CK_ATTENTION_ROWS)
    /// Items for each key head that keep many threads busy.
    private static let unitsWanted = 64

    private var items: [Item] = []
    private let shapes: Shapes

    /// - Parameter keyPlaces: for each sequence its first key row, or where its pages begin
    init(_ segments: Segments, _ shapes: Shapes, keyPlaces: [Int]) {
        self.shapes = shapes
        var rows = AttentionItems.rowsMax
        repeat {
            items = AttentionItems.cut(segments, shapes, keyPlaces, queries: rows / shapes.group)
            rows /= 2
        } while rows >= AttentionItems.rowsMin
            && items.count * shapes.keyHeads < AttentionItems.unitsWanted
        // Long ones first, so that no thread is left with one at the end.
        items.sort { $0.cost > $1.cost }
    }

    /// `[items, CK_ATTENTION_ITEM]`
    func tensor(on backend: any Backend) -> Tensor { Tensor(items.flatMap(\.entries), on: backend) }

    var units: Int { items.count * shapes.keyHeads }

    /// Units of about 10 us.
    var grain: Int {
        let products = items.reduce(0) { $0 + $1.cost } * shapes.queryHeads * shapes.headWidth
        return max(units * 500_000 / max(products, 1), 1)
    }

    private static func cut(
        _ segments: Segments, _ shapes: Shapes, _ keyPlaces: [Int], queries most: Int
    ) -> [Item] {
        let step = max(most, 1)
        return (0..<segments.count).flatMap { index -> [Item] in
            let queries = segments.queryRows(of: index)
            let keys = segments.keyRows(of: index).count
            return stride(from: queries.lowerBound, to: queries.upperBound, by: step).map {
                var item = Item(query: $0, queries: min(step, queries.upperBound - $0))
                item.keyPlace = keyPlaces[index]
                item.seen = shapes.causal ? keys - (queries.upperBound - $0) + 1 : keys
                item.keys = 0..<(shapes.causal ? item.seen + item.queries - 1 : keys)
                return item
            }
        }
    }
}
