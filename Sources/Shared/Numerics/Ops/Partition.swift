/// Which rows go to the first and which to the second of two experts, as CogVLM sends image rows
/// through one set of weights and text rows through another.
package struct RowPartition: Hashable, Sendable {
    /// Row numbers of the first and of the second part, ascending.
    package let first: [Int32]
    package let second: [Int32]

    /// - Parameter isFirst: for each row whether it belongs to the first part
    package init(_ isFirst: [Bool]) {
        let rows = Array(zip(Int32(0)..., isFirst))
        first = rows.filter(\.1).map(\.0)
        second = rows.filter { !$0.1 }.map(\.0)
    }

    /// How many rows both parts have together.
    package var count: Int { first.count + second.count }
}

extension Tensor {
    /// The rows of both parts, each in their order.
    /// - Parameter partition: of the rows of self `[N, ...]`
    /// - Returns: `[first.count, ...]` and `[second.count, ...]`
    package func split(by partition: RowPartition) -> (first: Tensor, second: Tensor) {
        precondition(
            shape.rank > 0 && shape[0] == partition.count,
            "split: \(shape) by a partition of \(partition.count) rows")
        return (gathered(rows: partition.first), gathered(rows: partition.second))
    }

    /// The opposite of `split(by:)`: every row back in its place.
    /// - Parameters:
    ///   - first: `[partition.first.count, ...]`
    ///   - second: `[partition.second.count, ...]`
    /// - Returns: `[partition.count, ...]`
    package static func merged(
        _ first: Tensor, _ second: Tensor, by partition: RowPartition
    ) -> Tensor {
        let shape = first.shape.withRows(partition.count)
        precondition(
            first.type == second.type
                && first.shape == shape.withRows(partition.first.count)
                && second.shape == shape.withRows(partition.second.count),
            "merged: \(first.shape) of \(first.type) and \(second.shape) of \(second.type) "
                + "by \(partition.first.count) and \(partition.second.count) rows")
        let y = Tensor.empty(shape, first.type, on: first.backend)
        y.scatter(first, at: Tensor(partition.first, on: y.backend))
        y.scatter(second, at: Tensor(partition.second, on: y.backend))
        return y.recorded("merged", inputs: [first, second]) { dy, needed in
            [
                needed[0] ? dy.gathered(rows: partition.first) : nil,
                needed[1] ? dy.gathered(rows: partition.second) : nil,
            ]
        }
    }
}
