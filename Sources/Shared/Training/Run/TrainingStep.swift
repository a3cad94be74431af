package import Base
package import Layers
package import Models
package import Numerics

/// What is trained: an adapter beside a frozen model, or the model's own parameters.
package enum Trained: Sendable {
    case adapter(AdapterSites)
    /// By name, with the index by which passes replace them.
    case parameters([String: Int])

    /// A pass in which `values` are trained.
    /// - Parameter dropout: of what flows into low-rank terms; nil for none
    package func pass(_ values: NamedTensors, dropout: (p: Float, key: RandomKey)? = nil) -> Pass {
        switch self {
        case .adapter(let sites): return Pass().with(sites.bound(values), dropout: dropout)
        case .parameters(let indices):
            var replaced: [Int: Tensor] = [:]
            for (name, tensor) in values {
                if let index = indices[name] { replaced[index] = tensor }
            }
            return Pass().replacing(replaced)
        }
    }
}

/// What a step of the optimiser saw.
package struct StepResult: Sendable {
    /// Mean over the trained tokens, before the step.
    package let loss: Double
    /// Of all gradients together, before clipping.
    package let gradientNorm: Double
    /// Tokens that count in the loss.
    package let trainedTokens: Int
    /// Trained tokens to which the model gave the largest logit; 0 where nobody asked.
    package let chosenTokens: Int
    /// Names of tensors whose gradient is not finite; the step was not taken if there are any.
    package let notFinite: [String]
    /// Whether the values changed; not where a gradient or the loss is no number or too large.
    package let isTaken: Bool
}

/// The state that training changes, and one step of it: loss over micro-batches, gradients summed,
/// clipped, handed to the optimiser.
package struct TrainingStep {
    /// Options that stay the same from step to step.
    package struct Options: Sendable {
        /// Gradients are scaled down to this norm; nil for never.
        package var gradientNormMax: Float? = 1
        /// Of what flows into low-rank terms.
        package var dropout: Float = 0
        /// Whether blocks are computed again on the way back instead of kept.
        package var isCheckpointed = false
        /// Whether to count the tokens that the model would have chosen, which costs the logits of
        /// the trained rows once more.
        package var countsChosenTokens = false
        /// A step whose gradient has a norm above this, before clipping, is not taken; nil for any.
        package var refusedNorm: Float?
    }

    private let model: any VisionLanguageModel
    private let trained: Trained
    private let optimiser: any Optimiser
    /// What stays the same from step to step.
    package var options = Options()
    /// What is trained, as it is now.
    package private(set) var values: NamedTensors
    /// What the optimiser carries from step to step.
    package private(set) var state: OptimiserState

    /// - Parameter values: what training starts from: float32 for adapters, of the model's type
    ///   for its own parameters
    package init(
        _ model: any VisionLanguageModel, _ trained: Trained, from values: NamedTensors,
        _ optimiser: any Optimiser
    ) {
        (self.model, self.trained, self.optimiser) = (model, trained, optimiser)
        self.values = values
        state = optimiser.start(values)
    }

    /// Goes on from saved values and a saved state.
    package mutating func restore(_ values: NamedTensors, _ state: OptimiserState) {
        (self.values, self.state) = (values, state)
    }

    /// One step.
    /// - Parameters:
    ///   - batches: micro-batches, whose gradients are summed; the loss is the mean over the
    ///     trained tokens of all of them
    ///   - learningRate: of this step
    ///   - key: of the randomness of this step
    package mutating func callAsFunction(
        _ batches: [[ModelInput]], learningRate: Double, key: RandomKey
    ) -> StepResult {
        guard let result = run(batches, learningRate: learningRate, key: key, goesOn: { true })
        else { preconditionFailure("training step: stopped by nobody") }
        return result
    }

    /// One step that can be given up between micro-batches.
    /// - Parameter goesOn: asked before each micro-batch
    /// - Returns: nil where the step was given up, which changes nothing
    package mutating func run(
        _ batches: [[ModelInput]], learningRate: Double, key: RandomKey, goesOn: () -> Bool
    ) -> StepResult? {
        let tokens = batches.joined().reduce(0) { $0 + $1.trainedCount }
        let weight = batches.joined().reduce(0.0) { $0 + $1.trainedWeight }
        var (sum, score) = (GradientSum(), LossScore())
        for (index, batch) in batches.enumerated() {
            guard goesOn() else { return nil }
            let tracked = values.tracked()
            var pass = trained.pass(tracked, dropout: (options.dropout, key.child(index)))
            pass.isCheckpointed = options.isCheckpointed
            let loss = score.add(model, batch, pass, countsChosen: options.countsChosenTokens)
            guard loss.isTracked else { continue }
            sum.add(loss.gradients(), of: tracked)
        }
        return finish(sum, score, (tokens, weight), learningRate: learningRate)
    }

    private mutating func finish(
        _ sum: GradientSum, _ score: LossScore, _ trained: (tokens: Int, weight: Double),
        learningRate: Double
    ) -> StepResult {
        guard !sum.gradients.isEmpty else {
            return StepResult(
                loss: score.mean, gradientNorm: 0, trainedTokens: trained.tokens,
                chosenTokens: score.chosen, notFinite: [], isTaken: score.sum.isFinite)
        }
        let scale = 1 / Float(trained.weight > 0 ? trained.weight : 1)
        let norm = GradientNorm(sum.gradients, scale: scale, normMax: options.gradientNormMax)
        let (size, notFinite) = norm.read()
        let isTaken =
            notFinite.isEmpty && score.sum.isFinite && size <= options.refusedNorm ?? .infinity
        if isTaken {
            optimiser.update(
                &values, with: sum.gradients, state: &state, learningRate: learningRate,
                factor: norm.factor)
        }
        return StepResult(
            loss: score.mean, gradientNorm: Double(size), trainedTokens: trained.tokens,
            chosenTokens: score.chosen, notFinite: notFinite, isTaken: isTaken)
    }
}

/// Sums of the loss over batches, and of tokens that the model would have chosen.
package struct LossScore: Sendable {
    /// Summed cross-entropy, in nats, each token by its weight.
    package private(set) var sum = 0.0
    /// Summed weights of the trained tokens.
    package private(set) var weight = 0.0
    /// Trained tokens.
    package private(set) var tokens = 0
    /// Trained tokens with the largest logit of their row.
    package private(set) var chosen = 0

    package init() {}

    /// Mean cross-entropy of a trained token, each by its weight; 0 without any.
    package var mean: Double { sum / (weight > 0 ? weight : 1) }
    /// The share of trained tokens that the model would have chosen; 0 without any.
    package var accuracy: Double { Double(chosen) / Double(max(tokens, 1)) }

    /// Adds a batch.
    /// - Returns: its summed loss, `[]`
    @discardableResult
    package mutating func add(
        _ model: any VisionLanguageModel, _ batch: [ModelInput], _ pass: Pass,
        countsChosen: Bool
    ) -> Tensor {
        let ids = batch.flatMap(\.labels)
        let hidden = model.hidden(batch, pass)
        if countsChosen { chosen += Self.chosen(hidden.detached(), ids, model.decoder.head, pass) }
        let loss = Self.loss(model, hidden, ids, batch, pass)
        sum += Double(loss.floats()[0])
        tokens += ids.count { $0 != Labels.ignored }
        weight += batch.reduce(0) { $0 + $1.trainedWeight }
        return loss
    }

    /// The summed loss. Tokens of one weight go through the head together: weights belong to turns,
    /// so there are few.
    private static func loss(
        _ model: any VisionLanguageModel, _ hidden: Tensor, _ ids: [Int32], _ batch: [ModelInput],
        _ pass: Pass
    ) -> Tensor {
        let entropy = { (ids: [Int32]) in
            model.decoder.head.crossEntropy(
                hidden,
                labels: Labels(
                    ids, vocabulary: model.decoder.config.vocabulary, on: model.backend), pass)
        }
        guard batch.contains(where: { !$0.lossWeights.isEmpty }) else { return entropy(ids) }
        let weights = batch.flatMap(\.labelWeights)
        let kinds = Set(ids.indices.filter { ids[$0] != Labels.ignored }.map { weights[$0] })
        guard let first = kinds.min() else { return entropy(ids) }
        let part = { (kind: Float) in
            entropy(ids.indices.map { weights[$0] == kind ? ids[$0] : Labels.ignored }) * kind
        }
        return kinds.sorted().dropFirst().reduce(part(first)) { $0 + part($1) }
    }

    /// Rows whose logits exist at a time.
    private static let blockRows = 256

    /// How many rows have their largest logit at their label.
    private static func chosen(
        _ hidden: Tensor, _ labels: [Int32], _ head: Linear, _ pass: Pass
    ) -> Int {
        let rows = labels.indices.filter { labels[$0] != Labels.ignored }
        var count = 0
        for first in stride(from: 0, to: rows.count, by: blockRows) {
            let some = rows[first..<min(first + blockRows, rows.count)]
            let logits = head(
                hidden.gathered(rows: some.map { Int32($0) }), pass, as: .float32)
            let largest = logits.detached().argmax().integers()
            count += zip(largest, some).count { $0 == labels[$1] }
        }
        return count
    }
}

extension ModelInput {
    /// Tokens that count in the loss: those that are learned and have a token before them.
    package var trainedCount: Int { isTrained.dropFirst().count { $0 } }

    /// What those count together.
    package var trainedWeight: Double {
        guard !lossWeights.isEmpty else { return Double(trainedCount) }
        return zip(isTrained, lossWeights).dropFirst().reduce(0) { $0 + ($1.0 ? Double($1.1) : 0) }
    }
}
