import Numerics
import TensorFiles

/// Layouts of compressed-tensors, and the bytes of bitsandbytes, which are much like one of them.
extension ModuleTensors {
    /// `weight` of bytes with the largest magnitude of each row: w = value · SCB / 127.
    mutating func bytesOfBitsandbytes() throws(QuantisedTensorError) -> FrozenWeight {
        let values = try tensor("weight", [.int8], shapes: [[out, width]])
        let scales = try tensor("SCB", MappedTensor.floats, shapes: [[out], [out, 1]]).floats
        if has("weight_format") {
            // Others are orders of elements that only the kernels of some GPUs know.
            let format = try tensor("weight_format", [.uint8]).elements(of: UInt8.self)
            guard format.allSatisfy({ $0 == 0 }) else {
                throw .unsupported(module: module, what: "bytes of a GPU's order", allowed: "row")
            }
        }
        return int8(values.elements(of: Int8.self), scales: scales.map { $0 / 127 })
    }

    /// `weight` of bytes with `weight_scale` (`int-quantized`, `naive-quantized`).
    mutating func bytes() throws(QuantisedTensorError) -> FrozenWeight {
        let values = try tensor("weight", [.int8], shapes: [[out, width]])
        return try scaled(values.elements(of: Int8.self)) {
            (tensors, groups) throws(QuantisedTensorError) in
            let shapes = groups == 1 ? [[tensors.out, 1], [tensors.out], [1]] : []
            let zeros = try tensors.tensor(
                "weight_zero_point", [.int8], shapes: [[tensors.out, groups]] + shapes)
            return tensors.spread(zeros.elements(of: Int8.self).map(Float.init))
        }
    }

    /// `weight_packed` (`pack-quantized`) of four or eight bits, lowest bits first.
    mutating func packed() throws(QuantisedTensorError) -> FrozenWeight {
        let (words4, words8) = ([out, (width + 7) / 8], [out, (width + 3) / 4])
        let words = try tensor("weight_packed", [.int32], shapes: [words4, words8])
        if has("weight_shape") { try checkShape() }
        // Rows of four inputs or fewer take a word with either number of bits.
        if words.stored.shape == words4, width > 4 { return try packedFourBits(words) }
        skip("weight_g_idx", "input_scale", "input_zero_point")
        let stride = words.stored.shape[1] * 4
        let bytes = words.elements(of: UInt8.self)
        let values = (0..<out * width).map { index in
            Int8(bitPattern: bytes[index / width * stride + index % width] ^ 0x80)
        }
        return try scaled(values) { (tensors, groups) throws(QuantisedTensorError) in
            let rows = (tensors.out + 3) / 4
            let zeros = try tensors.tensor("weight_zero_point", [.int32], shapes: [[rows, groups]])
            let words = zeros.elements(of: UInt32.self)
            return (0..<tensors.out * groups).map { index in
                let (row, group) = (index / groups, index % groups)
                return Float(words[row / 4 * groups + group] >> UInt32(row % 4 * 8) & 255) - 128
            }
        }
    }

    /// Four bits are those of GPTQ's second version, with rows and columns exchanged.
    private mutating func packedFourBits(
        _ words: MappedTensor
    ) throws(QuantisedTensorError) -> FrozenWeight {
        guard out % 8 == 0, width % 8 == 0 else {
            throw .int4(module: module, .shape(out: out, width: width))
        }
        let (scales, groups) = try scales()
        var zeros = [Int32](repeating: Int32(bitPattern: 0x8888_8888), count: groups * out / 8)
        if has("weight_zero_point") {
            let stored = try tensor("weight_zero_point", [.int32], shapes: [[out / 8, groups]])
            zeros = transposed(stored.elements(of: Int32.self), columns: groups)
        }
        var groupOfInput: [Int32]?
        if has("weight_g_idx") {
            let order = try tensor("weight_g_idx", [.int32], shapes: [[width]])
            groupOfInput = order.elements(of: Int32.self)
            // All of them -1 says that there is no order.
            if groupOfInput?.allSatisfy({ $0 == -1 }) == true { groupOfInput = nil }
        }
        skip("input_scale", "input_zero_point")
        let weights = transposed(words.elements(of: Int32.self), columns: width / 8)
        return try frozen(
            .gptq(version: 2), words: (weights, zeros),
            scales: transposed(scales, columns: groups), groupOfInput: groupOfInput)
    }

    private mutating func checkShape() throws(QuantisedTensorError) {
        let tensor = try tensor("weight_shape", [.int64, .int32], shapes: [[2]])
        let seen =
            tensor.stored.type == .int64
            ? tensor.elements(of: Int64.self).map { Int($0) }
            : tensor.elements(of: Int32.self).map { Int($0) }
        guard seen == [out, width] else {
            throw .shape(tensor: name("weight_shape"), seen: seen, expected: [out, width])
        }
    }

    /// `weight_scale` as `[out, groups]`.
    private mutating func scales() throws(QuantisedTensorError) -> (values: [Float], groups: Int) {
        let tensor = try tensor("weight_scale", MappedTensor.floats)
        let shape = tensor.stored.shape
        if shape == [] || shape == [1] || shape == [out] || shape == [1, 1] {
            return (spread(tensor.floats), 1)
        }
        guard shape.count == 2, shape[0] == out, shape[1] > 0, width % shape[1] == 0 else {
            throw .shape(tensor: name("weight_scale"), seen: shape, expected: [out, 1])
        }
        return (tensor.floats, shape[1])
    }

    /// One value for all outputs, for each of them.
    private func spread(_ values: [Float]) -> [Float] {
        values.count == 1 ? Array(repeating: values[0], count: out) : values
    }

    /// Bytes with scales for rows; with scales for groups, or zero points, which packed bytes do
    /// not have, a weight in the layer's type.
    /// - Parameter zeros: reads `weight_zero_point` as `[out, groups]`
    private mutating func scaled(
        _ values: [Int8],
        zeros: (inout ModuleTensors, _ groups: Int) throws(QuantisedTensorError) -> [Float]
    ) throws(QuantisedTensorError) -> FrozenWeight {
        let (scales, groups) = try scales()
        let points = has("weight_zero_point") ? try zeros(&self, groups) : []
        skip("input_scale", "input_zero_point")
        guard groups > 1 || points.contains(where: { $0 != 0 }) else {
            return int8(values, scales: scales)
        }
        let group = width / groups
        let w = values.enumerated().map { index, value in
            let place = index / width * groups + index % width / group
            return (Float(value) - (points.isEmpty ? 0 : points[place])) * scales[place]
        }
        return FrozenWeight(Tensor(w, [out, width], on: backend).converted(to: type))
    }

    private func int8(_ values: [Int8], scales: [Float]) -> FrozenWeight {
        let bytes = values.withUnsafeBytes {
            Tensor(bytes: $0, shape: [out, width], type: .int8, on: backend)
        }
        return FrozenWeight(
            Int8Weight(values: bytes, scales: Tensor(scales, [out], on: backend)))
    }

    /// Rows and columns exchanged.
    private func transposed<Element>(_ values: [Element], columns: Int) -> [Element] {
        let rows = values.count / columns
        return (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
    }
}
