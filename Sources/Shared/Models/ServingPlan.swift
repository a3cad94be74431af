package import Layers
package import Numerics

extension WeightPlan {
    /// How a model is kept that only answers.
    /// - Parameters:
    ///   - type: float32, bfloat16 or float16
    ///   - format: of the linear layers within the language model; those of the vision tower, the
    ///     projector and the logits stay in `type`. nil for none
    package static func serving(_ type: DType, format: WeightFormat? = nil) -> WeightPlan {
        WeightPlan(type: type) { path in
            path.isInLanguageLayer ? format : nil
        }
    }
}

extension String {
    /// Whether a module, as transformers names it, is in a layer of the language model.
    fileprivate var isInLanguageLayer: Bool {
        hasPrefix("model.language_model.layers.") || hasPrefix("model.layers.")
    }
}
