package import Numerics

/// A tensor of a model that training may change.
package struct Parameter: Sendable {
    /// Its place in the model's list of parameters, by which a pass replaces it.
    package let index: Int
    /// As the checkpoint has it, in the type that its layer wants.
    package let value: Tensor

    package init(index: Int, value: Tensor) {
        (self.index, self.value) = (index, value)
    }

    /// What stands for it in a pass.
    package func callAsFunction(_ pass: Pass) -> Tensor { pass.replacement(of: index) ?? value }
}

/// A parameter in a model's list.
package struct ParameterSite: Sendable, Hashable {
    /// Its name in transformers' memory, such as `model.language_model.norm.weight`.
    package let name: String
    /// As the checkpoint has it.
    package let shape: Shape
    /// Whether a pass may replace it: its layer keeps it as it is, not packed.
    package let isTrainable: Bool
}

/// A linear layer in a model's list, by which adapters find it.
package struct LinearSite: Sendable, Hashable {
    /// Its module's name in transformers' memory, such as
    /// `model.language_model.layers.0.self_attn.q_proj`.
    package let path: String
    /// Width of what flows in.
    package let width: Int
    /// Width of what flows out.
    package let outWidth: Int
}
