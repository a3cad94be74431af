package import Numerics

/// y = x Wᵀ + b, over a weight of any format, with the low-rank terms of the pass.
package struct Linear: Sendable {
    /// Its place in the model's list of linear layers.
    package let site: Int
    /// `[out, in]`
    package let weight: LinearWeight
    /// The index of the parameter that the weight is; nil where it is packed of several tensors.
    private let index: Int?
    /// `[out]`
    private let bias: Parameter?

    init(site: Int, weight: LinearWeight, index: Int?, bias: Parameter?) {
        (self.site, self.weight, self.index, self.bias) = (site, weight, index, bias)
    }

    /// - Parameters:
    ///   - x: `[N, in]`
    ///   - result: the type of the result; nil for that of x
    /// - Returns: `[N, out]`
    package func callAsFunction(_ x: Tensor, _ pass: Pass, as result: DType? = nil) -> Tensor {
        let shares = pass.adapterRows(at: site)
        if !shares.isEmpty {
            let y = x.linear(weight(pass), bias: bias?(pass), adapters: shares)
            return y.converted(to: result ?? y.type)
        }
        return x.linear(
            weight(pass), bias: bias?(pass), lowRank: pass.lowRank(at: site, of: x), as: result)
    }

    /// The weight that products of a pass see.
    package func weight(_ pass: Pass) -> LinearWeight {
        guard let index, let value = pass.replacement(of: index) else { return weight }
        return .plain(value.shape == weight.shape ? value : value.reshaped(weight.shape))
    }

    /// The summed cross-entropy of labels under softmax(x Wᵀ): see `projectedCrossEntropy`.
    package func crossEntropy(_ x: Tensor, labels: Labels, _ pass: Pass) -> Tensor {
        x.projectedCrossEntropy(
            weight(pass), lowRank: pass.lowRank(at: site, of: x), labels: labels)
    }
}
