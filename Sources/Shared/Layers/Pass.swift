package import Base
package import Numerics

/// One pass through a model: what stands for its parameters, what is added to its linear layers,
/// and what is kept for the way back. The model itself never changes.
package struct Pass: Sendable {
    /// By index of the parameter; empty where none is replaced.
    private var replacements: [Tensor?] = []
    /// By site of the linear layer; empty without an adapter.
    private var lowRanks: [LowRank?] = []
    /// Adapters of row ranges, for serving.
    private var shares: [AdapterShare] = []
    private var dropout: (p: Float, key: RandomKey)?
    /// Whether blocks keep only what flows into them, and run again on the way back.
    package var isCheckpointed = false

    package init() {}

    /// Every row goes through one adapter.
    /// - Parameters:
    ///   - adapter: its terms by site
    ///   - dropout: of what flows into the terms; the key is that of this pass alone
    package func with(
        _ adapter: BoundAdapter, dropout: (p: Float, key: RandomKey)? = nil
    ) -> Pass {
        var copy = self
        (copy.lowRanks, copy.dropout) = (adapter.terms, dropout)
        for (index, tensor) in adapter.replacements { copy.replace(index, by: tensor) }
        return copy
    }

    /// Each range of rows of a text goes through its own adapter; nothing is recorded.
    /// - Parameter shares: their ranges do not overlap
    package func with(_ shares: [AdapterShare]) -> Pass {
        var copy = self
        copy.shares = shares
        return copy
    }

    /// Other values of some parameters.
    /// - Parameter values: by index of the parameter
    package func replacing(_ values: [Int: Tensor]) -> Pass {
        var copy = self
        for (index, tensor) in values { copy.replace(index, by: tensor) }
        return copy
    }

    private mutating func replace(_ index: Int, by tensor: Tensor) {
        if replacements.count <= index {
            replacements += Array(repeating: nil, count: index + 1 - replacements.count)
        }
        replacements[index] = tensor
    }

    func replacement(of index: Int) -> Tensor? {
        index < replacements.count ? replacements[index] : nil
    }

    /// The terms of a layer for row ranges; empty for the plain layer.
    func adapterRows(at site: Int) -> [AdapterRows] {
        shares.compactMap { share in
            share.adapter[site].map { AdapterRows(rows: share.rows, adapter: $0) }
        }
    }

    /// The term that all rows of a layer go through.
    /// - Parameter x: what flows into the layer
    func lowRank(at site: Int, of x: Tensor) -> LowRank? {
        guard site < lowRanks.count, let term = lowRanks[site] else { return nil }
        guard let dropout, dropout.p > 0 else { return term }
        return LowRank(
            down: term.down, up: term.up, scale: term.scale,
            input: x.dropout(dropout.p, dropout.key.child(site)))
    }
}

/// The terms of an adapter, found by the site of their linear layer.
package struct BoundAdapter: Sendable {
    fileprivate let terms: [LowRank?]
    /// Parameters that the adapter holds as a whole, by index.
    fileprivate let replacements: [Int: Tensor]

    /// - Parameters:
    ///   - terms: by site of the linear layer
    ///   - replacements: by index of the parameter
    package init(terms: [Int: LowRank], replacements: [Int: Tensor] = [:]) {
        var places = [LowRank?](repeating: nil, count: (terms.keys.max() ?? -1) + 1)
        for (site, term) in terms { places[site] = term }
        (self.terms, self.replacements) = (places, replacements)
    }

    /// Whether it holds parameters as a whole, so that only passes of its own can go through it.
    package var hasReplacements: Bool { !replacements.isEmpty }

    /// The term of a layer.
    package subscript(site: Int) -> LowRank? { site < terms.count ? terms[site] : nil }
}

/// Rows of a batch that go through one adapter.
package struct AdapterShare: Sendable {
    package let rows: Range<Int>
    package let adapter: BoundAdapter

    package init(rows: Range<Int>, adapter: BoundAdapter) {
        (self.rows, self.adapter) = (rows, adapter)
    }
}
