/// Names a sequence from its submission to its end. None is used twice.
package struct SequenceID: Hashable, Sendable {
    package let number: Int

    package init(_ number: Int) { self.number = number }
}

/// What one forward pass computes: plain numbers, from which the runner makes tensors.
package struct StepPlan: Sendable, Hashable {
    /// Some rows of one sequence, all of which but the last few may be in the cache already.
    package struct Slice: Sendable, Hashable {
        package let sequence: SequenceID
        /// Positions in the sequence that are computed now.
        package let rows: Range<Int>
        /// Whether the last row decides on the next token.
        package let isSampled: Bool
        /// Where the sequence's rows are, those of this slice among them.
        package let table: BlockTable
    }

    package var slices: [Slice] = []

    /// Rows of the pass.
    package var rows: Int { slices.reduce(0) { $0 + $1.rows.count } }
}
