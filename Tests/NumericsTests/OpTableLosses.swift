import Numerics

extension OpTable {
    static let losses: [String: Op] = [
        "crossEntropy": { $0["logits"].crossEntropy($0.labels) },
        "crossEntropies": { $0["logits"].crossEntropies($0.labels) },
        "projectedCrossEntropy": {
            let weight = $0["weight"]
            let labels = Labels(
                $0.integers("labels"), vocabulary: weight.shape[0], on: weight.backend)
            return $0["x"].projectedCrossEntropy(.plain(weight), labels: labels)
        },
        "logProbabilities": { $0["logits"].logProbabilities(of: $0.labels) },
    ]

    static let reductions: [String: Op] = [
        "softmax": { $0["x"].softmax() },
        "argmax": { $0["x"].argmax() },
        "mean": { $0["x"].mean() },
        "rowMeans": { $0["x"].rowMeans() },
        "norm": {
            let gradients = NamedTensors([("a", $0["a"]), ("b", $0["b"])])
            return Tensor([GradientNorm(gradients).read().norm], [], on: $0["a"].backend)
        },
        "maxAbs": { $0["x"].maxAbs() },
    ]
}

extension OpInputs {
    var labels: Labels {
        let logits = self["logits"]
        return Labels(integers("labels"), vocabulary: logits.shape[1], on: logits.backend)
    }
}
