import Numerics

/// The ops by the names that golden files use. Each area of ops adds its rows in a file of its own.
enum OpTable {
    typealias Op = @Sendable (OpInputs) -> Tensor

    static let ops: [String: Op] = [basics, norms, rotary, attention].reduce(into: [:]) {
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
        "rmsNorm": { $0["x"].rmsNorm(weight: $0["weight"], epsilon: $0.float("epsilon")) }
    ]
}
