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
package struct ParameterSite: Sendable {
    /// Its name in transformers' memory, such as `model.language_model.norm.weight`.
    package let name: String
    /// As the checkpoint has it.
    package let shape: Shape
    /// As the model has it, where its layer keeps it as it is; nil where it is packed.
    package let value: Tensor?

    /// Whether training can start from its value.
    package var isTrainable: Bool { value != nil }
}

/// A linear layer in a model's list, by which adapters find it.
package struct LinearSite: Sendable {
    /// Its module's name in transformers' memory, such as
    /// `model.language_model.layers.0.self_attn.q_proj`.
    package let path: String
    /// How files keep its weight: `[out, in]`, or more axes for a convolution.
    package let stored: Shape
    /// As products see it, `[out, in]`.
    package let weight: LinearWeight
    /// The index of the weight's parameter; nil where the checkpoint keeps it quantised.
    package let parameter: Int?

    /// Width of what flows in.
    package var width: Int { weight.shape[1] }
    /// Width of what flows out.
    package var outWidth: Int { weight.shape[0] }
    /// Whether it stands for a convolution.
    package var isConvolution: Bool { stored.rank != 2 }
}
