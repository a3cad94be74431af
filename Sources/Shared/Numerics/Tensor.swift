internal import CKernels

/// Numbers on a device: an immutable value. Ops return new tensors; where a gradient is needed
/// they also remember how they were made.
package struct Tensor: Sendable {
    package let shape: Shape
    package let type: DType
    let buffer: Buffer
    /// Where the elements start in the buffer, in bytes: views share buffers.
    let offset: Int
    /// How the tensor was made; nil where no gradient is needed.
    var node: Node?

    init(shape: Shape, type: DType, buffer: Buffer, offset: Int = 0, node: Node? = nil) {
        self.shape = shape
        self.type = type
        self.buffer = buffer
        self.offset = offset
        self.node = node
    }

    /// The device that the elements are on.
    package var backend: any Backend { buffer.backend }
    /// Bytes of all elements.
    package var byteCount: Int { shape.count * type.byteCount }

    /// The device's part that a kernel only reads.
    var read: Operand { operand(.read) }
    /// The device's part that a kernel fills.
    var write: Operand { operand(.write) }
    /// The device's part that a kernel changes.
    var readWrite: Operand { operand(.readWrite) }

    private func operand(_ access: Operand.Access) -> Operand {
        Operand(buffer: buffer, offset: offset, byteCount: byteCount, access: access)
    }
}

// MARK: - To and from the host

extension Tensor {
    /// A tensor whose elements a kernel is about to write.
    static func empty(_ shape: Shape, _ type: DType, on backend: any Backend) -> Tensor {
        let buffer = backend.allocate(byteCount: shape.count * type.byteCount)
        return Tensor(shape: shape, type: type, buffer: buffer)
    }

    /// A tensor of the host's bytes, row-major.
    package init(
        bytes: UnsafeRawBufferPointer, shape: Shape, type: DType, on backend: any Backend
    ) {
        precondition(
            bytes.count == shape.count * type.byteCount,
            "tensor: \(bytes.count) bytes for \(shape) of \(type)")
        self = .empty(shape, type, on: backend)
        backend.copyIn(bytes, to: buffer, at: 0)
    }

    /// A float32 tensor, row-major.
    package init(_ values: [Float], _ shape: Shape, on backend: any Backend) {
        self = values.withUnsafeBytes { bytes in
            Tensor(bytes: bytes, shape: shape, type: .float32, on: backend)
        }
    }

    /// An int32 tensor of one axis: ids, positions, row numbers.
    package init(_ values: [Int32], on backend: any Backend) {
        self = values.withUnsafeBytes { bytes in
            Tensor(bytes: bytes, shape: [values.count], type: .int32, on: backend)
        }
    }

    /// A tensor with the same value everywhere.
    package static func filled(
        _ value: Float, _ shape: Shape, _ type: DType = .float32, on backend: any Backend
    ) -> Tensor {
        let y = Tensor.empty(shape, type, on: backend)
        backend.enqueue(
            Launch(
                Kernel(CK_fill_f32, for: type), [y.write], scalars: [value],
                units: shape.count, grain: Launch.grain(elements: 1)))
        return y
    }

    /// Waits for the elements and copies their bytes, row-major.
    package func bytes() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, count in
            backend.copyOut(buffer, at: offset, into: UnsafeMutableRawBufferPointer(bytes))
            count = byteCount
        }
    }

    /// Waits for the elements and copies them as float32, row-major.
    package func floats() -> [Float] {
        let x = converted(to: .float32)
        return [Float](unsafeUninitializedCapacity: shape.count) { floats, count in
            x.backend.copyOut(
                x.buffer, at: x.offset, into: UnsafeMutableRawBufferPointer(floats))
            count = shape.count
        }
    }

    /// Waits for the elements of an int32 tensor and copies them.
    package func integers() -> [Int32] {
        precondition(type == .int32, "integers: a tensor of \(type)")
        return [Int32](unsafeUninitializedCapacity: shape.count) { integers, count in
            backend.copyOut(buffer, at: offset, into: UnsafeMutableRawBufferPointer(integers))
            count = shape.count
        }
    }
}
