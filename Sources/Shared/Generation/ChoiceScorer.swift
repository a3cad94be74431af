import Layers
package import Models
import Numerics

/// How likely given answers to one prompt are. Each is computed with the whole prompt, in one pass;
/// what the images become is computed once.
package final class ChoiceScorer {
    private let model: any VisionLanguageModel
    private let prompt: ModelInput
    private let pass: Pass
    private var features: Tensor?

    /// - Parameter prompt: its tokens are those that all answers begin after
    package init(_ loaded: LoadedModel, _ prompt: ModelInput, _ adapter: RequestAdapter?) {
        (model, self.prompt) = (loaded.model, prompt)
        pass = adapter.map { Pass().with($0.terms) } ?? Pass()
    }

    /// The natural logarithm of the probability of each token of an answer, given all before it.
    /// - Parameters:
    ///   - ids: of the whole conversation, the answer included
    ///   - isAnswer: which of them are the answer's; not the first
    package func logProbabilities(_ ids: [Int32], isAnswer: [Bool]) -> [Double] {
        precondition(
            ids.count == isAnswer.count && isAnswer.first != true,
            "choices: \(ids.count) tokens, \(isAnswer.count) marks")
        if features == nil, !prompt.images.isEmpty {
            features = model.imageFeatures(prompt.images, pass)
        }
        let rows = ids.indices.filter { isAnswer[$0] }
        guard !rows.isEmpty else { return [] }
        let backend = model.backend
        let x = model.embedded(
            ids, imageRows: prompt.imageRows.flatMap { $0.map(Int32.init) }, features: features,
            pass)
        let hidden = model.decoder(
            x, model.decoder.rotary(at: Tensor(ids.indices.map(Int32.init), on: backend)),
            Segments(lengths: [ids.count]), pass)
        let logits = model.decoder.head(
            hidden.gathered(rows: rows.map { Int32($0 - 1) }), pass, as: .float32)
        let labels = Labels(
            rows.map { ids[$0] }, vocabulary: model.decoder.config.vocabulary, on: backend)
        return logits.logProbabilities(of: labels).floats().map(Double.init)
    }
}
