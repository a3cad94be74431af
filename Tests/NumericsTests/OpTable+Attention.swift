import Numerics

extension OpTable {
    static let attention: [String: Op] = [
        "attention": { inputs in
            let segments = Segments(
                queryLengths: inputs.attribute("queries"), keyLengths: inputs.attribute("keys"))
            return inputs["q"].attention(
                inputs["k"], inputs["v"], segments, causal: inputs.attribute("causal"),
                scale: inputs.float("scale"))
        }
    ]

    static let rotary: [String: Op] = [
        "rotated": { inputs in
            let frequencies = OpTable.frequencies(inputs, width: inputs["x"].shape.width)
            return inputs["x"].rotated(by: frequencies.tables(at: inputs["positions"]))
        },
        "rotaryTables": { inputs in
            let frequencies = RotaryFrequencies(
                width: inputs.attribute("width"), base: inputs.attribute("base"))
            let tables = frequencies.tables(at: inputs["positions"])
            let wantsCosines = inputs.attribute("part", String.self) == "cosines"
            return wantsCosines ? tables.cosines : tables.sines
        },
    ]

    private static func frequencies(_ inputs: OpInputs, width: Int) -> RotaryFrequencies {
        let base = inputs.attribute("base", Double.self)
        switch inputs.attribute("kind", String.self) {
        case "patches": return .ofPatches(width: width, base: base)
        case "sectioned":
            let frequencies = RotaryFrequencies(width: width, base: base)
            return frequencies.sectioned(inputs.attribute("sections"))
        default: return RotaryFrequencies(width: width, base: base, scaling: scaling(inputs))
        }
    }

    private static func scaling(_ inputs: OpInputs) -> RotaryScaling {
        switch inputs.attribute("scaling", String.self) {
        case "linear": .linear(factor: inputs.float("factor"))
        case "dynamic":
            .dynamic(
                factor: inputs.attribute("factor"), lengthTrained: inputs.attribute("trained"),
                length: inputs.attribute("length"))
        default: .none
        }
    }
}
