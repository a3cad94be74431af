import Numerics

/// The ops by the names that golden files use. Each area of ops adds its rows in a file of its own.
enum OpTable {
    typealias Op = @Sendable (OpInputs) -> Tensor

    private static let areas = [
        basics, norms, linears, activations, rows, losses, reductions, images, sampling,
        rotary, attention,
    ]

    static let ops: [String: Op] = areas.reduce(into: [:]) {
        $0.merge($1) { first, _ in first }
    }

    private static let basics: [String: Op] = [
        "add": { $0["a"] + $0["b"] },
        "multiply": { $0["a"] * $0["b"] },
        "scale": { $0["x"] * $0.float("factor") },
        "sum": { $0["x"].sum() },
        "reshape": { $0["x"].reshaped(Shape($0.attribute("shape", [Int].self))) },
    ]

    private static let norms: [String: Op] = [
        "rmsNorm": { $0["x"].rmsNorm(weight: $0["weight"], epsilon: $0.float("epsilon")) },
        "layerNorm": {
            $0["x"].layerNorm(
                weight: $0["weight"], bias: $0["bias"], epsilon: $0.float("epsilon"))
        },
    ]
}
