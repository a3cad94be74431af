import Base
import Layers
import Models
import Numerics

/// What is trained: an adapter beside a frozen model, or the model's own parameters.
enum Trained {
    case adapter(AdapterSites)
    /// By name, with the index by which passes replace them.
    case parameters([String: Int])

    /// A pass in which `values` are trained.
    func pass(_ values: NamedTensors, dropout: (p: Float, key: RandomKey)?) -> Pass {
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
struct StepResult {
    /// Mean over the trained tokens, before the step.
    let loss: Double
    /// Of all gradients together, before clipping.
    let gradientNorm: Double
    /// Tokens that count in the loss.
    let trainedTokens: Int
    /// Names of tensors whose gradient is not finite; the step was not taken if there are any.
    let notFinite: [String]
}

/// The state that training changes, and one step of it: loss over micro-batches, gradients summed,
/// clipped, handed to the optimiser.
struct TrainingStep {
    /// Options that stay the same from step to step.
    struct Options {
        /// Gradients are scaled down to this norm; nil for never.
        var gradientNormMax: Float? = 1
        /// Of what flows into low-rank terms.
        var dropout: Float = 0
        /// Whether blocks are computed again on the way back instead of kept.
        var isCheckpointed = false
    }

    let model: any VisionLanguageModel
    let trained: Trained
    let optimiser: any Optimiser
    var options = Options()
    private(set) var values: NamedTensors
    private(set) var state: OptimiserState

    /// - Parameter values: float32, what training starts from
    init(
        _ model: any VisionLanguageModel, _ trained: Trained, from values: NamedTensors,
        _ optimiser: any Optimiser
    ) {
        (self.model, self.trained, self.optimiser) = (model, trained, optimiser)
        self.values = values
        state = optimiser.start(values)
    }

    /// One step.
    /// - Parameters:
    ///   - batches: micro-batches, whose gradients are summed; the loss is the mean over the
    ///     trained tokens of all of them
    ///   - learningRate: of this step
    ///   - key: of the randomness of this step
    mutating func callAsFunction(
        _ batches: [[ModelInput]], learningRate: Double, key: RandomKey
    ) -> StepResult {
        let tokens = batches.joined().reduce(0) { count, input in
            count + input.labels.count { $0 != Labels.ignored }
        }
        var sum = GradientSum()
        var loss = 0.0
        for (index, batch) in batches.enumerated() {
            let tracked = values.tracked()
            var pass = trained.pass(tracked, dropout: (options.dropout, key.child(index)))
            pass.isCheckpointed = options.isCheckpointed
            let part = model.loss(batch, pass).sum
            loss += Double(part.floats()[0])
            guard part.isTracked else { continue }
            sum.add(part.gradients(), of: tracked)
        }
        guard !sum.gradients.isEmpty else {
            return StepResult(loss: 0, gradientNorm: 0, trainedTokens: tokens, notFinite: [])
        }
        let scale = 1 / Float(max(tokens, 1))
        let norm = GradientNorm(sum.gradients, scale: scale, normMax: options.gradientNormMax)
        let (size, notFinite) = norm.read()
        if notFinite.isEmpty {
            optimiser.update(
                &values, with: sum.gradients, state: &state, learningRate: learningRate,
                factor: norm.factor)
        }
        return StepResult(
            loss: loss / Double(max(tokens, 1)), gradientNorm: Double(size), trainedTokens: tokens,
            notFinite: notFinite)
    }
}
