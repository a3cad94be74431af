package import Numerics

/// Where the keys and values are that the rows of a pass attend to.
package protocol AttentionMemory {
    /// Keeps the keys and values of a layer's rows as far as later passes need them, and attends.
    /// - Parameters:
    ///   - q: `[N, H, K]`
    ///   - k: `[N, G, K]`
    ///   - v: `[N, G, K]`
    ///   - layer: its number
    /// - Returns: `[N, H, K]`
    func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, layer: Int) -> Tensor
}

/// Sequences that attend to their own rows only: training, and scoring.
package struct OwnRows: AttentionMemory, Sendable {
    package let segments: Segments
    package let isCausal: Bool

    package init(_ segments: Segments, isCausal: Bool = true) {
        (self.segments, self.isCausal) = (segments, isCausal)
    }

    package func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, layer: Int) -> Tensor {
        q.attention(
            k, v, segments, causal: isCausal, scale: 1 / Float(q.shape[2]).squareRoot())
    }
}

/// Sequences whose earlier rows are in pages: generation.
package struct PagedRows: AttentionMemory {
    /// By layer.
    private let pages: [KeyValuePages]
    private let slots: Tensor
    private let table: PageTable

    /// - Parameters:
    ///   - pages: of each layer
    ///   - slots: int32 `[N]`, where the new rows go
    ///   - table: which pages each sequence has, the new rows among them
    package init(_ pages: [KeyValuePages], slots: Tensor, table: PageTable) {
        (self.pages, self.slots, self.table) = (pages, slots, table)
    }

    package func attend(_ q: Tensor, _ k: Tensor, _ v: Tensor, layer: Int) -> Tensor {
        pages[layer].write(k, v, at: slots)
        return pages[layer].attention(q, table, scale: 1 / Float(q.shape[2]).squareRoot())
    }
}

extension Tensor {
    /// Rows `[N, heads · K]` as heads `[N, heads, K]`.
    package func heads(_ count: Int) -> Tensor {
        reshaped([shape[0], count, shape[1] / count])
    }

    /// Heads `[N, H, K]` as rows `[N, H · K]`.
    package func joinedHeads() -> Tensor { reshaped([shape[0], shape[1] * shape[2]]) }
}
