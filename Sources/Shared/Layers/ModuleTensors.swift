import Numerics
import TensorFiles

/// The tensors of one linear layer, checked against its widths while they are read.
struct ModuleTensors {
    let module: String
    let out, width: Int
    /// Of a weight in floating point.
    let type: DType
    let backend: any Backend
    /// The names of what was read.
    private(set) var consumed: [String] = []

    private let checkpoint: Checkpoint

    init(
        _ module: String, in checkpoint: Checkpoint, out: Int, width: Int, type: DType,
        on backend: any Backend
    ) {
        (self.module, self.checkpoint, self.out, self.width) = (module, checkpoint, out, width)
        (self.type, self.backend) = (type, backend)
    }

    func name(_ part: String) -> String { "\(module).\(part)" }

    func has(_ part: String) -> Bool { checkpoint.contains(name(part)) }

    /// A tensor of one of these types.
    mutating func tensor(
        _ part: String, _ types: [StoredType]
    ) throws(QuantisedTensorError) -> MappedTensor {
        let tensor: MappedTensor
        do { tensor = try checkpoint.tensor(named: name(part)) } catch { throw .file(error) }
        guard types.contains(tensor.stored.type) else {
            throw .type(
                tensor: name(part), seen: tensor.stored.type.name,
                expected: types.map(\.name).joined(separator: ", "))
        }
        consumed.append(name(part))
        return tensor
    }

    /// A tensor of one of these types and shapes; the first is named if it has none of them.
    mutating func tensor(
        _ part: String, _ types: [StoredType], shapes: [[Int]]
    ) throws(QuantisedTensorError) -> MappedTensor {
        let tensor = try tensor(part, types)
        guard shapes.contains(tensor.stored.shape) else {
            throw .shape(tensor: name(part), seen: tensor.stored.shape, expected: shapes[0])
        }
        return tensor
    }

    /// Reads and forgets what does not change the weight, if it is there.
    mutating func skip(_ parts: String...) {
        consumed += parts.filter(has).map(name)
    }

    /// The weight as it is, in the layer's type.
    mutating func plain() throws(QuantisedTensorError) -> Tensor {
        let stored = try tensor("weight", MappedTensor.floats, shapes: [[out, width]])
        let own: DType =
            switch stored.stored.type {
            case .bfloat16: .bfloat16
            case .float16: .float16
            default: .float32
            }
        return stored.withBytes { bytes in
            Tensor(bytes: bytes, shape: [out, width], type: own, on: backend)
        }.converted(to: type)
    }
}

extension MappedTensor {
    /// The types that `floats` reads.
    static let floats: [StoredType] = [.float32, .bfloat16, .float16]

    /// Elements of a type of floating point, on the host.
    var floats: [Float] {
        switch stored.type {
        case .bfloat16:
            elements(of: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
        case .float16: elements(of: UInt16.self).map { Float(Float16(bitPattern: $0)) }
        default: elements(of: UInt32.self).map { Float(bitPattern: $0) }
        }
    }

    /// The bytes as little-endian whole numbers.
    func elements<Element: FixedWidthInteger>(of type: Element.Type) -> [Element] {
        withBytes { bytes in
            let stride = MemoryLayout<Element>.size
            return (0..<bytes.count / stride).map { index in
                let element = bytes.loadUnaligned(fromByteOffset: index * stride, as: type)
                return Element(littleEndian: element)
            }
        }
    }
}
