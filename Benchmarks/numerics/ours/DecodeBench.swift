import Numerics

/// One new token of each of some sequences against their keys and values in pages.
struct DecodeBench {
    private static let pageRows = 64
    private static let keyHeads = 8

    let tokens: Int
    let heads: Int
    let width: Int
    let type: DType
    let sequences: Int
    /// Whether pages hold bytes.
    let compressed: Bool

    init(_ task: Task) throws {
        tokens = try task.value(\.tokens)
        heads = try task.value(\.heads)
        width = try task.value(\.width)
        type = try task.elementType()
        sequences = try task.value(\.m)
        compressed = task.format == "int8"
    }

    /// What is timed.
    func call(on backend: any Backend) -> () -> Void {
        let pagesEach = (tokens + DecodeBench.pageRows - 1) / DecodeBench.pageRows
        let cache = KeyValuePages(
            pages: pagesEach * sequences, pageRows: DecodeBench.pageRows,
            heads: (DecodeBench.keyHeads, width), type: type, compressed: compressed, on: backend)
        let rows = Tensor.random([tokens, DecodeBench.keyHeads, width], type, seed: 1, on: backend)
        // Pages of the sequences take turns, as they do when all of them grow.
        let pages = (0..<sequences).map { sequence in
            (0..<pagesEach).map { Int32($0 * sequences + sequence) }
        }
        for own in pages {
            let slots = (0..<tokens).map { token -> Int32 in
                own[token / DecodeBench.pageRows] * Int32(DecodeBench.pageRows)
                    + Int32(token % DecodeBench.pageRows)
            }
            cache.write(rows, rows, at: Tensor(slots, on: backend))
        }
        let table = PageTable(
            Segments(
                queryLengths: Array(repeating: 1, count: sequences),
                keyLengths: Array(repeating: tokens, count: sequences)),
            pages: pages, pageRows: DecodeBench.pageRows, on: backend)
        let q = Tensor.random([sequences, heads, width], type, seed: 2, on: backend)
        let scale = 1 / Float(width).squareRoot()
        return { _ = cache.attention(q, table, scale: scale) }
    }
}
