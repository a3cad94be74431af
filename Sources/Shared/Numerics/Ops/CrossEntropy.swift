internal import CKernels

extension Tensor {
    /// The losses of a block of rows, and what their gradient needs.
    ///
    ///     logSum = log Σ e^logit        loss = logSum − logit of the label
    ///
    /// Nothing is recorded: whoever cuts a large vocabulary's logits into blocks makes each block
    /// again for `crossEntropyGradient`.
    /// - Parameter labels: of the rows of self `[N, V]`; the loss of a row without one is 0
    /// - Returns: both `[N]`, float32
    package func crossEntropyBlock(_ labels: Labels) -> (losses: Tensor, logSums: Tensor) {
        check(labels)
        let losses = Tensor.empty([shape[0]], .float32, on: backend)
        let logSums = Tensor.empty([shape[0]], .float32, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_cross_entropy_f32, for: type),
                [losses.write, logSums.write, read, labels.tensor.read],
                numbers: [shape.width], units: shape[0],
                grain: Launch.grain(elements: 4 * shape.width)))
        return (losses, logSums)
    }

    /// The gradient of a block's logits: `dlogits = (softmax − onehot(label)) · scale`, and 0 in
    /// rows without a label.
    /// - Parameters:
    ///   - labels: of the rows of self `[N, V]`
    ///   - logSums: `[N]`, as `crossEntropyBlock` returned them for the same logits
    ///   - scale: float32, the gradient of each row's loss: `[N]`, or one number for all rows
    /// - Returns: shape and type of self
    package func crossEntropyGradient(
        _ labels: Labels, logSums: Tensor, scale: Tensor
    ) -> Tensor {
        check(labels)
        let isOne = scale.shape.count == 1
        precondition(
            logSums.shape == [shape[0]] && logSums.type == .float32
                && (isOne || scale.shape == logSums.shape) && scale.type == .float32,
            "crossEntropyGradient: logits \(shape), log sums \(logSums.shape) of \(logSums.type), "
                + "scale \(scale.shape) of \(scale.type)")
        let dlogits = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_cross_entropy_dx_f32, for: type),
                [dlogits.write, read, labels.tensor.read, logSums.read, scale.read],
                numbers: [shape.width, isOne ? 0 : 1], units: shape[0],
                grain: Launch.grain(elements: 4 * shape.width)))
        return dlogits
    }

    /// The loss of each row, 0 where it has no label.
    /// - Parameter labels: of the rows of self `[N, V]`
    /// - Returns: `[N]`, float32
    package func crossEntropies(_ labels: Labels) -> Tensor {
        let logits = detached()
        let (losses, logSums) = crossEntropyBlock(labels)
        return losses.recorded("crossEntropies", inputs: [self]) { dy, _ in
            [logits.crossEntropyGradient(labels, logSums: logSums, scale: dy)]
        }
    }

    /// The sum of the losses of all rows that have a label. Whoever wants the mean divides by
    /// `labels.countedRows`, over all batches of a step together.
    /// - Parameter labels: of the rows of self `[N, V]`
    /// - Returns: `[]`, float32
    package func crossEntropy(_ labels: Labels) -> Tensor { crossEntropies(labels).sum() }

    /// The logarithm of the probability that each row gives to its label, 0 where it has none.
    /// - Parameter labels: of the rows of self `[N, V]`
    /// - Returns: `[N]`, float32
    package func logProbabilities(of labels: Labels) -> Tensor { crossEntropies(labels) * -1 }

    private func check(_ labels: Labels) {
        precondition(
            shape == [labels.ids.count, labels.vocabulary],
            "crossEntropy: logits \(shape), \(labels.ids.count) labels of \(labels.vocabulary)")
    }
}
