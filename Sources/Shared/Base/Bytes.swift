/// Immutable bytes in one block of memory that slices and copies share.
///
/// A message received from a peer is one block; its large `bytes` fields are slices of it, so an
/// image is never copied twice. A slice keeps its whole block alive.
package struct Bytes: @unchecked Sendable {
    // A block is never written after the initialiser that fills it returns, so any thread may
    // read it.
    /// The block; nil when empty.
    private let block: Block?
    private let offset: Int
    /// How many bytes there are.
    package let count: Int

    /// No bytes.
    package init() {
        self.init(block: nil, offset: 0, count: 0)
    }

    /// Makes `count` bytes and lets `fill` write every one of them.
    package init<E>(count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void)
        throws(E)
    {
        guard count > 0 else {
            self.init()
            return
        }
        let block = Block.make(count: count)
        try fill(UnsafeMutableRawBufferPointer(start: block.base, count: count))
        self.init(block: block, offset: 0, count: count)
    }

    /// A copy of `source`.
    package init(copying source: UnsafeRawBufferPointer) {
        self.init(count: source.count) { $0.copyMemory(from: source) }
    }

    /// A copy of `elements`.
    package init(_ elements: some Collection<UInt8>) {
        // Byte by byte costs hundreds of times as much where this is not specialised.
        let copied = elements.withContiguousStorageIfAvailable {
            Bytes(copying: UnsafeRawBufferPointer($0))
        }
        if let copied {
            self = copied
            return
        }
        self.init(count: elements.count) { target in
            for (index, byte) in elements.enumerated() { target[index] = byte }
        }
    }

    /// The UTF-8 bytes of `text`.
    package init(_ text: String) {
        var text = text
        self = text.withUTF8 { Bytes(copying: UnsafeRawBufferPointer($0)) }
    }

    /// Takes ownership of `base`, which came from `malloc` and holds at least `count` bytes.
    package init(adopting base: UnsafeMutableRawPointer, count: Int) {
        self.init(block: Block.make(adopting: base), offset: 0, count: count)
    }

    private init(block: Block?, offset: Int, count: Int) {
        (self.block, self.offset, self.count) = (count > 0 ? block : nil, offset, count)
    }

    /// Calls `body` with the bytes; the pointer is valid only during the call.
    package func withUnsafeBytes<R, E>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E)
        -> R
    {
        guard let block else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let result = try body(UnsafeRawBufferPointer(start: block.base + offset, count: count))
        withExtendedLifetime(block) {}
        return result
    }

    /// The bytes at `range`, sharing this block. The range must lie within `0..<count`.
    package func slice(_ range: Range<Int>) -> Bytes {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count,
            "Bytes.slice: \(range) of \(count) bytes")
        return Bytes(block: block, offset: offset + range.lowerBound, count: range.count)
    }

    /// The same bytes in a block of their own if they are a small part of a larger one, so that
    /// keeping them does not keep the rest.
    package func detached() -> Bytes { withUnsafeBytes { Bytes(copying: $0) } }

    /// The bytes read as UTF-8; nil if they are not.
    package var text: String? {
        withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    }

    /// Where a block's bytes lie: behind its header, or in memory from malloc that it frees.
    fileprivate struct Place {
        var base: UnsafeMutableRawPointer
        var isAdopted: Bool
    }

    /// One block of memory, written once before it is shared.
    private final class Block: ManagedBuffer<Place, UInt8> {
        var base: UnsafeMutableRawPointer { header.base }

        deinit { if header.isAdopted { header.base.deallocate() } }

        static func make(count: Int) -> Block {
            let buffer = create(minimumCapacity: count) { buffer in
                Place(
                    base: buffer.withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) },
                    isAdopted: false)
            }
            return unsafeDowncast(buffer, to: Block.self)
        }

        static func make(adopting base: UnsafeMutableRawPointer) -> Block {
            let buffer = create(minimumCapacity: 0) { _ in Place(base: base, isAdopted: true) }
            return unsafeDowncast(buffer, to: Block.self)
        }
    }
}

extension Bytes: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }
    package var isEmpty: Bool { count == 0 }
    package subscript(position: Int) -> UInt8 {
        precondition(position >= 0 && position < count, "Bytes[\(position)] of \(count) bytes")
        return withUnsafeBytes { $0[position] }
    }
    package func withContiguousStorageIfAvailable<R>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> R
    ) rethrows -> R? {
        try withUnsafeBytes { try body($0.assumingMemoryBound(to: UInt8.self)) }
    }
}

extension Bytes: Hashable {
    package static func == (a: Bytes, b: Bytes) -> Bool {
        a.count == b.count
            && a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.elementsEqual(b) } }
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Bytes: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: UInt8...) { self.init(elements) }
}
