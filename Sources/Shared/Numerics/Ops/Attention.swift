extension Tensor {
    /// Attention within each sequence of a ragged batch; memory grows with its length, not with the
    /// square of it.
    ///
    ///     p = softmax(scale · q kᵀ) over the keys that a query sees        y = p v
    ///
    /// Query head h uses key head h / (H / G). A row's result depends on its own sequence alone:
    /// not on the rest of the batch, nor on which queries of the sequence are with it.
    ///
    /// - Parameters:
    ///   - k: `[M, G, K]`, where self is the queries, `[N, H, K]`
    ///   - v: `[M, G, K]`
    ///   - segments: rows of each sequence, or of each window
    ///   - causal: query i of Lq sees keys up to i + Lk − Lq of Lk, instead of all
    ///   - scale: above 0; 1 / √K in every family here
    /// - Returns: `[N, H, K]`
    package func attention(
        _ k: Tensor, _ v: Tensor, _ segments: Segments, causal: Bool, scale: Float
    ) -> Tensor {
        let shapes = attentionShapes(k, v, causal: causal)
        precondition(
            segments.queryRows == shape[0] && segments.keyRows == k.shape[0] && scale > 0,
            "attention: \(segments.queryRows) and \(segments.keyRows) rows in segments, "
                + "q \(shape), k \(k.shape), scale \(scale)")
        precondition(
            !causal || segments.hasKeysForQueries, "attention: causal with more queries than keys")
        let isTracked = isTracked || k.isTracked || v.isTracked
        let logs = isTracked ? Tensor.empty([shape[0], shape[1]], .float32, on: backend) : nil
        let items = AttentionItems(segments, shapes, keyPlaces: Array(segments.keys.dropLast()))
        let y = items.attend(
            self, AttentionItems.Keys(k: k.read, v: v.read), logs: logs, scale: scale)
        guard let logs else { return y }
        let slopes = AttentionGradient(
            q: detached(), k: k.detached(), v: v.detached(), y: y, logs: logs, segments: segments,
            shapes: shapes, scale: scale)
        return y.recorded("attention", inputs: [self, k, v]) { dy, _ in slopes(dy) }
    }

    private func attentionShapes(
        _ k: Tensor, _ v: Tensor, causal: Bool
    ) -> AttentionItems.Shapes {
        let isRagged = shape.rank == 3 && k.shape.rank == 3 && k.shape == v.shape
        precondition(
            isRagged && k.shape[2] == shape[2], "attention: q \(shape), k \(k.shape), v \(v.shape)")
        let (heads, keyHeads, width) = (shape[1], k.shape[1], shape[2])
        precondition(
            keyHeads > 0 && heads % keyHeads == 0 && (1...256).contains(width),
            "attention: \(heads) and \(keyHeads) heads of \(width)")
        precondition(
            k.type == type && v.type == type, "attention: q \(type), k \(k.type), v \(v.type)")
        return AttentionItems.Shapes(
            queryHeads: heads, keyHeads: keyHeads, headWidth: width, causal: causal)
    }
}
