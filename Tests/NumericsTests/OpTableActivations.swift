import Numerics

extension OpTable {
    static let activations: [String: Op] = [
        "silu": { $0["x"].activated(.silu) },
        "gelu": { $0["x"].activated(.gelu) },
        "geluTanh": { $0["x"].activated(.geluTanh) },
        "quickGELU": { $0["x"].activated(.quickGELU) },
        "swiGLU": { $0["gate"].swiGLU($0["up"]) },
    ]
}
