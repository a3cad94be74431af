internal import CKernels

/// A device that tensors live on. What is above knows neither its memory nor when work is done:
/// launches and copies take effect in the order of the calls, and only `copyOut` waits.
package protocol Backend: AnyObject, Sendable {
    /// For messages and benchmarks, such as `cpu avx512-bf16`.
    var name: String { get }

    /// Memory whose contents are undefined. There is no error: callers estimate before they start.
    func allocate(byteCount: Int) -> Buffer
    /// Takes back the memory of a buffer that nothing refers to any more.
    func release(handle: UInt, byteCount: Int)
    /// Copies host bytes into a buffer, from `offset` bytes on. The bytes may change afterwards.
    func copyIn(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer, at offset: Int)
    /// Waits for all earlier work and copies bytes of a buffer to the host.
    func copyOut(_ buffer: Buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer)
    /// Queues one kernel. The launch keeps its buffers alive until it is done.
    func enqueue(_ launch: Launch)
}

/// Memory on a device. It belongs to the tensors that refer to it and goes back to its backend
/// with the last one.
package final class Buffer: Sendable {
    package let backend: any Backend
    package let byteCount: Int
    /// What the backend knows the memory by. It means nothing to anyone else.
    package let handle: UInt

    package init(backend: any Backend, byteCount: Int, handle: UInt) {
        self.backend = backend
        self.byteCount = byteCount
        self.handle = handle
    }

    deinit { backend.release(handle: handle, byteCount: byteCount) }
}

/// A part of a buffer that a kernel works on.
package struct Operand: Sendable {
    /// What a kernel does with it.
    package enum Access: Sendable { case read, write, readWrite }

    package let buffer: Buffer
    /// Where the part starts, in bytes.
    package let offset: Int
    package let byteCount: Int
    package let access: Access
}

/// One of the kernels that every backend has.
package struct Kernel: Hashable, Sendable {
    /// The kernel's place in the list of CKernels.h.
    package let id: UInt32

    init(_ kernel: ck_kernel) { id = kernel.rawValue }

    /// The one made for an element type, given the one for float32.
    init(_ float32: ck_kernel, for type: DType) {
        guard let index = type.floatIndex else {
            preconditionFailure("\(String(cString: ck_kernel_name(float32))): not for \(type)")
        }
        id = float32.rawValue + index
    }

    /// The name under which backends find it, such as `rms_norm_bf16`.
    package var name: String { String(cString: ck_kernel_name(ck_kernel(rawValue: id))) }
}

/// One kernel with all that it works on. From this a backend derives how to run it.
package struct Launch: Sendable {
    package let kernel: Kernel
    /// In the order that the kernel's body names; nil where the kernel allows none.
    package let operands: [Operand?]
    package let numbers: [Int]
    package let scalars: [Float]
    /// How many independent units there are.
    package let units: Int
    /// Units worth giving to another thread: about 10 us of work.
    package let grain: Int

    init(
        _ kernel: Kernel, _ operands: [Operand?], numbers: [Int] = [], scalars: [Float] = [],
        units: Int, grain: Int
    ) {
        precondition(
            operands.count <= Int(CK_POINTERS) && numbers.count <= Int(CK_NUMBERS)
                && scalars.count <= Int(CK_SCALARS),
            "\(kernel.name): \(operands.count) operands, \(numbers.count) numbers, "
                + "\(scalars.count) scalars")
        self.kernel = kernel
        self.operands = operands
        self.numbers = numbers
        self.scalars = scalars
        self.units = units
        self.grain = max(grain, 1)
    }

    /// Units of `elements` each, so that a chunk for a thread has about 16,384 elements.
    static func grain(elements: Int) -> Int { max(16_384 / max(elements, 1), 1) }
}
