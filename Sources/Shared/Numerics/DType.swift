/// How an element of a tensor is stored. Arithmetic on the half-precision types is in float32.
package enum DType: String, Sendable, CaseIterable {
    case float32, bfloat16, float16, int32, uint8, int8

    /// Bytes an element.
    package var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .uint8, .int8: 1
        }
    }

    /// Whether ops compute with it and gradients exist for it.
    package var isFloat: Bool { floatIndex != nil }

    /// Which of the kernels made for each element type is its own; nil for whole numbers.
    var floatIndex: UInt32? {
        switch self {
        case .float32: 0
        case .bfloat16: 1
        case .float16: 2
        case .int32, .uint8, .int8: nil
        }
    }
}
