package import Base
import Foundation

/// One NF4 weight as bitsandbytes serialises it, on the host.
package struct NF4Layout: Sendable {
    /// The tensors beside `weight`, by the endings of their names. absmax is float32, or bytes
    /// where it is quantised too, and then the nested ones belong to it.
    package struct Parts: Sendable {
        package var codes: [UInt8]
        package var absmax: [Float] = []
        package var absmaxCodes: [UInt8] = []
        package var nestedAbsmax: [Float] = []
        package var nestedMap: [Float] = []
        /// `quant_map`; empty if the file has none.
        package var map: [Float] = []
        /// JSON text of `quant_state.bitsandbytes__nf4`.
        package var state: [UInt8]

        package init(codes: [UInt8], state: [UInt8]) { (self.codes, self.state) = (codes, state) }
    }

    private struct State: Decodable {
        let quant_type: String
        let blocksize: Int
        let shape: [Int]
        let nested_blocksize: Int?
        let nested_offset: Float?
    }

    package let shape: Shape
    private let codes: [UInt8]
    private let absmax: [Float]

    /// Checks the parts against each other.
    package init(_ parts: Parts) throws(NF4LayoutError) {
        guard let state = try? JSONDecoder().decode(State.self, from: Data(parts.state)) else {
            throw .state
        }
        guard state.quant_type == "nf4", state.blocksize == NF4Weight.block,
            parts.map.isEmpty || parts.map == NF4Weight.table
        else { throw .unsupported(state.quant_type, block: state.blocksize) }
        guard state.shape.count == 2, state.shape.allSatisfy({ (1...(1 << 24)).contains($0) })
        else { throw .shape(state.shape) }
        shape = Shape(state.shape)
        let blocks = shape.count.divided(by: NF4Weight.block)
        try NF4Layout.expect("weight", parts.codes.count, shape.count.divided(by: 2))
        codes = parts.codes
        guard let offset = state.nested_offset else {
            try NF4Layout.expect("absmax", parts.absmax.count, blocks)
            absmax = parts.absmax
            return
        }
        guard state.nested_blocksize == NF4Absmax.block else {
            throw .unsupported("nested", block: state.nested_blocksize ?? 0)
        }
        try NF4Layout.expect("absmax", parts.absmaxCodes.count, blocks)
        try NF4Layout.expect(
            "nested_absmax", parts.nestedAbsmax.count, blocks.divided(by: NF4Absmax.block))
        try NF4Layout.expect("nested_quant_map", parts.nestedMap.count, 256)
        absmax = NF4Absmax(
            codes: parts.absmaxCodes, nested: parts.nestedAbsmax, offset: offset,
            map: parts.nestedMap
        ).expanded()
    }

    /// The weight on a device.
    package func weight(on backend: any Backend) -> NF4Weight {
        let bytes = codes.withUnsafeBytes {
            Tensor(bytes: $0, shape: [codes.count], type: .uint8, on: backend)
        }
        return NF4Weight(
            shape: shape, codes: bytes, absmax: Tensor(absmax, [absmax.count], on: backend))
    }

    private static func expect(
        _ name: String, _ count: Int, _ expected: Int
    ) throws(NF4LayoutError) {
        guard count == expected else { throw .count(name, count, expected: expected) }
    }
}

/// Why tensors are no NF4 weight.
package enum NF4LayoutError: Failure {
    case state
    case unsupported(String, block: Int)
    case shape([Int])
    case count(String, Int, expected: Int)

    package var kind: FailureKind { .invalidInput }

    package var message: String {
        switch self {
        case .state: "quant_state is no JSON of bitsandbytes"
        case .unsupported(let type, let block):
            "4-bit weights of type \(type) in blocks of \(block); nf4 in blocks of 64 is read"
        case .shape(let shape): "a 4-bit weight of shape \(shape); two axes are read"
        case .count(let name, let count, let expected):
            "\(name) has \(count) elements; it needs \(expected)"
        }
    }

    package var reason: String {
        switch self {
        case .state: "NF4_STATE"
        case .unsupported: "NF4_UNSUPPORTED"
        case .shape: "NF4_SHAPE"
        case .count: "NF4_COUNT"
        }
    }
}
