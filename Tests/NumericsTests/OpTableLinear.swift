import Numerics

extension OpTable {
    static let linears: [String: Op] = [
        "linear": { inputs in
            inputs["x"].linear(.plain(inputs["weight"]), bias: inputs.optional("bias"))
        },
        "linearFrozen": { inputs in
            let lowRank = inputs.optional("down").map { down in
                LowRank(
                    down: down, up: inputs["up"], scale: inputs.float("scale"),
                    input: inputs.optional("input"))
            }
            return inputs["x"].linear(
                .frozen(FrozenWeight(inputs["weight"])), bias: inputs.optional("bias"),
                lowRank: lowRank)
        },
    ]
}

extension OpInputs {
    func optional(_ name: String) -> Tensor? { has(name) ? self[name] : nil }
}
