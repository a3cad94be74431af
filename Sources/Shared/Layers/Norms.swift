package import Numerics

/// Scales rows to unit root-mean-square.
package struct RMSNorm: Sendable {
    private let weight: Parameter
    private let epsilon: Float

    /// - Parameter width: D
    package init(
        _ weights: WeightScope, width: Int, epsilon: Float
    ) throws(WeightError) {
        weight = try weights.parameter("weight", [width])
        self.epsilon = epsilon
    }

    /// - Parameter x: `[N, D]`
    /// - Returns: `[N, D]`
    package func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
        x.rmsNorm(weight: weight(pass), epsilon: epsilon)
    }
}

/// Scales rows to mean 0 and variance 1.
package struct LayerNorm: Sendable {
    private let weight, bias: Parameter
    private let epsilon: Float

    /// - Parameter width: D
    package init(
        _ weights: WeightScope, width: Int, epsilon: Float
    ) throws(WeightError) {
        weight = try weights.parameter("weight", [width])
        bias = try weights.parameter("bias", [width])
        self.epsilon = epsilon
    }

    /// - Parameter x: `[N, D]`
    /// - Returns: `[N, D]`
    package func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
        x.layerNorm(weight: weight(pass), bias: bias(pass), epsilon: epsilon)
    }
}

/// A table of rows, looked up by number.
package struct Embedding: Sendable {
    package let table: Parameter

    /// - Parameters:
    ///   - rows: V
    ///   - width: D
    package init(
        _ weights: WeightScope, rows: Int, width: Int
    ) throws(WeightError) {
        table = try weights.parameter("weight", [rows, width])
    }

    /// - Parameter ids: from 0 to V - 1
    /// - Returns: `[N, D]`
    package func callAsFunction(_ ids: [Int32], _ pass: Pass) -> Tensor {
        table(pass).embedding(ids)
    }
}
