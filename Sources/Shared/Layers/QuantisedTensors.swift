package import Numerics
package import TensorFiles

/// The weights of linear layers, in whichever layout a checkpoint keeps them: as they are, or
/// quantised by bitsandbytes, GPTQ, AWQ or compressed-tensors.
package struct QuantisedCheckpoint: Sendable {
    /// The most inputs or outputs of a layer.
    package static let widthMax = 1 << 24

    private let checkpoint: Checkpoint
    private let config: QuantisationConfig?

    /// - Parameter config: `quantization_config` of the model; nil if it has none
    package init(_ checkpoint: Checkpoint, config: QuantisationConfig?) {
        (self.checkpoint, self.config) = (checkpoint, config)
    }

    /// A layer's weight `[out, in]`, and the names of the tensors it is made of. A bias is not
    /// among them.
    /// - Parameters:
    ///   - module: such as `model.layers.0.self_attn.q_proj`
    ///   - type: of what is not quantised, and of what no packed format can hold
    package func linearWeight(
        _ module: String, outWidth: Int, inWidth: Int, as type: DType, on backend: any Backend
    ) throws(QuantisedTensorError) -> (weight: LinearWeight, consumed: [String]) {
        let widthMax = QuantisedCheckpoint.widthMax
        guard (1...widthMax).contains(outWidth), (1...widthMax).contains(inWidth) else {
            throw .width(module: module, out: outWidth, width: inWidth, widthMax: widthMax)
        }
        var tensors = ModuleTensors(
            module, in: checkpoint, out: outWidth, width: inWidth, type: type, on: backend)
        let weight = try self.weight(&tensors)
        return (weight, tensors.consumed)
    }

    private func weight(
        _ tensors: inout ModuleTensors
    ) throws(QuantisedTensorError) -> LinearWeight {
        if tensors.has("qweight") { return .frozen(try tensors.fourBits(config)) }
        if tensors.has("weight_packed") {
            try requireWholeNumbers(tensors)
            return .frozen(try tensors.packed())
        }
        guard tensors.has("weight") else { throw .noWeight(module: tensors.module) }
        if tensors.has("weight.quant_state.bitsandbytes__nf4") {
            return .frozen(try tensors.normalFloats())
        }
        if tensors.has("weight.absmax") {
            throw .unsupported(module: tensors.module, what: "another 4-bit type", allowed: "nf4")
        }
        if tensors.has("SCB") { return .frozen(try tensors.bytesOfBitsandbytes()) }
        if tensors.has("weight_scale") || tensors.has("weight_scale_inv") {
            try requireWholeNumbers(tensors)
            return .frozen(try tensors.bytes())
        }
        return .plain(try tensors.plain())
    }

    /// Words of other types have the same names: `mxfp4`, say, and `nvfp4`.
    private func requireWholeNumbers(_ tensors: ModuleTensors) throws(QuantisedTensorError) {
        for group in (config?.groups ?? [:]).values {
            guard let weights = group.weights else { continue }
            let (type, bits) = (weights.type ?? "int", weights.bits ?? 8)
            guard type == "int", bits == 4 || bits == 8 else {
                throw .unsupported(
                    module: tensors.module, what: "\(type) of \(bits) bits",
                    allowed: "int of 4 or 8 bits")
            }
        }
    }
}
