import Numerics
import TensorFiles

/// Layouts of four bits.
extension ModuleTensors {
    /// `weight` with what bitsandbytes keeps beside it.
    mutating func normalFloats() throws(QuantisedTensorError) -> FrozenWeight {
        let state = "weight.quant_state.bitsandbytes__nf4"
        // Codes are bytes whatever type `bnb_4bit_quant_storage` gives them.
        let codes = try tensor("weight", StoredType.allCases)
        var parts = NF4Layout.Parts(
            codes: codes.elements(of: UInt8.self),
            state: try tensor(state, [.uint8]).elements(of: UInt8.self))
        if has("weight.quant_map") {
            parts.map = try tensor("weight.quant_map", [.float32]).floats
        }
        if has("weight.nested_absmax") {
            let absmax = try tensor("weight.absmax", [.uint8])
            parts.absmaxCodes = absmax.elements(of: UInt8.self)
            parts.nestedAbsmax = try tensor("weight.nested_absmax", [.float32]).floats
            parts.nestedMap = try tensor("weight.nested_quant_map", [.float32]).floats
        } else {
            parts.absmax = try tensor("weight.absmax", [.float32]).floats
        }
        let layout: NF4Layout
        do { layout = try NF4Layout(parts) } catch { throw .nf4(module: module, error) }
        guard layout.shape == [out, width] else {
            throw .shape(
                tensor: name("weight"), seen: [layout.shape[0], layout.shape[1]],
                expected: [out, width])
        }
        return FrozenWeight(layout.weight(on: backend))
    }

    /// `qweight` of GPTQ, whose words run along inputs, or of AWQ, whose words run along outputs.
    mutating func fourBits(
        _ config: QuantisationConfig?
    ) throws(QuantisedTensorError) -> FrozenWeight {
        try requireFourBits(config)
        guard out % 8 == 0, width % 8 == 0 else {
            throw .int4(module: module, .shape(out: out, width: width))
        }
        let shapes = [[width / 8, out], [width, out / 8]]
        let isAWQ = config?.method == "awq"
        let weights = try tensor("qweight", [.int32], shapes: isAWQ ? [shapes[1]] : shapes)
        let kind: Int4Layout.Kind =
            weights.stored.shape == shapes[0]
            ? .gptq(version: config?.checkpointFormat == "gptq_v2" ? 2 : 1) : .awq
        let scales = try tensor("scales", MappedTensor.floats)
        let groups = scales.stored.shape.first ?? 0
        guard scales.stored.shape == [groups, out], groups > 0 else {
            throw .shape(
                tensor: name("scales"), seen: scales.stored.shape, expected: [max(groups, 1), out])
        }
        let zeros = try tensor("qzeros", [.int32], shapes: [[groups, out / 8]])
        let order = has("g_idx") ? try tensor("g_idx", [.int32], shapes: [[width]]) : nil
        return try frozen(
            kind, words: (weights.elements(of: Int32.self), zeros.elements(of: Int32.self)),
            scales: scales.floats, groupOfInput: order?.elements(of: Int32.self))
    }

    /// Packs four-bit codes with scales and zero points by group and output.
    func frozen(
        _ kind: Int4Layout.Kind, words: (weights: [Int32], zeros: [Int32]), scales: [Float],
        groupOfInput: [Int32]?
    ) throws(QuantisedTensorError) -> FrozenWeight {
        do {
            return try Int4Layout(
                kind, out: out, width: width, words: words, scales: scales,
                groupOfInput: groupOfInput
            ).frozen(on: backend)
        } catch {
            throw .int4(module: module, error)
        }
    }

    private func requireFourBits(_ config: QuantisationConfig?) throws(QuantisedTensorError) {
        if let bits = config?.bits, bits != 4 {
            throw .unsupported(module: module, what: "\(bits) bits", allowed: "4 bits")
        }
        if config?.method == "awq", let version = config?.version, version.lowercased() != "gemm" {
            throw .unsupported(module: module, what: "version \(version)", allowed: "gemm")
        }
        if let format = config?.checkpointFormat, !["gptq", "gptq_v2", "gemm"].contains(format) {
            throw .unsupported(
                module: module, what: "checkpoint_format \(format)", allowed: "gptq or gptq_v2")
        }
    }
}
