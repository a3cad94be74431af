import Numerics

/// A device without memory: a model built on it has every layer and no numbers.
///
/// So the names, shapes and types of a checkpoint are checked, and its layers counted, at the cost
/// of reading the headers of its files.
final class OutlineBackend: Backend {
    var name: String { "outline" }

    func allocate(byteCount: Int) -> Buffer {
        Buffer(backend: self, byteCount: byteCount, handle: 0)
    }

    func release(handle: UInt, byteCount: Int) {}

    func copyIn(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer, at offset: Int) {}

    func copyOut(
        _ buffer: Buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer
    ) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    func enqueue(_ launch: Launch) {}
}
