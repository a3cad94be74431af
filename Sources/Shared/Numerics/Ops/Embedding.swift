extension Tensor {
    /// The rows of self, a table `[V, D]` of any type, that token ids stand for.
    ///
    /// The gradient is a table too: for each id the sum of the gradients of its rows, in the order
    /// of the rows, whatever the threads.
    /// - Parameter ids: `N` numbers from 0 to V − 1; they come from the host, which is where they
    ///   are checked
    /// - Returns: `[N, D]`
    package func embedding(_ ids: [Int32]) -> Tensor {
        precondition(shape.rank == 2, "embedding: a table of \(shape)")
        return gathered(rows: ids)
    }
}
