/// Rows whose logits exist at a time.
private let blockRows = 256

extension Tensor {
    /// The cross-entropy of a projection to a large vocabulary, whose logits never exist all at
    /// once: rows without a label are left out, the others go by in blocks, and the walk back makes
    /// the logits of a block again.
    ///
    ///     loss = Σ over rows with a label of log Σ e^logit − logit of the label
    ///
    /// Logits are float32, whatever the type of self.
    /// - Parameters:
    ///   - weight: `[V, D]`, where self is `[N, D]`
    ///   - lowRank: of the projection
    ///   - labels: of the rows of self
    /// - Returns: `[]`, float32. Whoever wants the mean divides by `labels.countedRows`, over all
    ///   batches of a step together.
    package func projectedCrossEntropy(
        _ weight: LinearWeight, lowRank: LowRank? = nil, labels: Labels
    ) -> Tensor {
        precondition(
            shape.rank == 2 && shape[0] == labels.ids.count
                && weight.shape[0] == labels.vocabulary,
            "projectedCrossEntropy: x \(shape), weight \(weight.shape), "
                + "\(labels.ids.count) labels of \(labels.vocabulary)")
        let counted = labels.ids.indices.filter { labels.ids[$0] != Labels.ignored }
        guard !counted.isEmpty else { return .filled(0, [], on: backend) }
        let kept = gathered(rows: counted.map { Int32($0) })
        let ids = counted.map { labels.ids[$0] }
        var loss: Tensor?
        for first in stride(from: 0, to: ids.count, by: blockRows) {
            let rows = first..<min(first + blockRows, ids.count)
            let some = Labels(Array(ids[rows]), vocabulary: labels.vocabulary, on: backend)
            let part = checkpointed([kept.rows(rows)]) { inputs in
                inputs[0].linear(weight, lowRank: lowRank, as: .float32).crossEntropy(some)
            }
            loss = loss.map { $0 + part } ?? part
        }
        return loss ?? .filled(0, [], on: backend)
    }
}
