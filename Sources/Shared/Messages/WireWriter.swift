import Base
import CMessages
import CProtobufC
import CWire
import Glibc

/// Puts Swift values into an arena in the form that protobuf-c packs.
///
/// `Bytes` are not copied: the C form points into them, so the message must outlive it.
struct WireWriter {
    let arena: UnsafeMutablePointer<cwire_arena>
    /// The outermost message, for errors.
    let messageName: String

    init(messageName: String) throws(WireError) {
        guard let arena = cwire_open(.max) else { throw .tooLarge(message: messageName, bytes: 0) }
        (self.arena, self.messageName) = (arena, messageName)
    }

    /// Frees all that was allocated.
    func close() { cwire_close(arena) }

    /// Memory for `count` values, not initialised.
    @inline(__always)
    func allocate<T>(_ count: Int = 1, of type: T.Type = T.self) throws(WireError)
        -> UnsafeMutablePointer<T>
    {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
        guard !overflow, let raw = cwire_take(arena, bytes) else {
            throw .tooLarge(message: messageName, bytes: bytes)
        }
        return raw.assumingMemoryBound(to: T.self)
    }

    /// `text` with a NUL at its end. A NUL inside it would cut it off, so that is an error.
    func string(_ text: String, _ field: StaticString) throws(WireError)
        -> UnsafeMutablePointer<CChar>
    {
        var text = text
        let count = text.utf8.count
        let target: UnsafeMutablePointer<CChar> = try allocate(count + 1)
        let hasNUL = text.withUTF8 { source in
            guard let base = source.baseAddress else { return false }
            UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: count)
            target[count] = 0
            return strlen(target) != count
        }
        target[count] = 0
        guard !hasNUL else {
            throw .malformed(
                message: messageName, why: "the string \(field) holds a NUL character")
        }
        return target
    }

    /// Points at the memory of `bytes`.
    func bytes(_ bytes: Bytes) -> ProtobufCBinaryData {
        bytes.withUnsafeBytes { source in
            let base = UnsafeMutableRawPointer(mutating: source.baseAddress)
            return ProtobufCBinaryData(
                len: source.count, data: base?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// The C form of `message`.
    func message<M: CBacked>(_ message: M) throws(WireError) -> UnsafeMutablePointer<M.CForm> {
        guard arena.pointee.depth < DecodeLimits.depthMax else {
            throw .tooDeep(message: messageName, depthMax: DecodeLimits.depthMax)
        }
        arena.pointee.depth += 1
        let form: UnsafeMutablePointer<M.CForm> = try allocate()
        try message.fill(form, self)
        arena.pointee.depth -= 1
        return form
    }

    /// The C forms of `messages`.
    func messages<M: CBacked>(_ messages: [M]) throws(WireError)
        -> UnsafeMutablePointer<UnsafeMutablePointer<M.CForm>?>
    {
        let forms: UnsafeMutablePointer<UnsafeMutablePointer<M.CForm>?> = try allocate(
            messages.count)
        for index in messages.indices { forms[index] = try message(messages[index]) }
        return forms
    }

    func strings(_ texts: [String], _ field: StaticString) throws(WireError)
        -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    {
        let target: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = try allocate(texts.count)
        for index in texts.indices { target[index] = try string(texts[index], field) }
        return target
    }

    func bytes(_ elements: [Bytes]) throws(WireError) -> UnsafeMutablePointer<ProtobufCBinaryData> {
        let target: UnsafeMutablePointer<ProtobufCBinaryData> = try allocate(elements.count)
        for index in elements.indices { target[index] = bytes(elements[index]) }
        return target
    }

    func numbers<T: BitwiseCopyable>(_ numbers: [T]) throws(WireError) -> UnsafeMutablePointer<T> {
        let target: UnsafeMutablePointer<T> = try allocate(numbers.count)
        numbers.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { target.update(from: base, count: numbers.count) }
        }
        return target
    }

    func booleans(_ values: [Bool]) throws(WireError) -> UnsafeMutablePointer<protobuf_c_boolean> {
        let target: UnsafeMutablePointer<protobuf_c_boolean> = try allocate(values.count)
        for index in values.indices { target[index] = values[index] ? 1 : 0 }
        return target
    }

    /// Enums in C are four bytes of whatever sign, so the bits are what counts.
    func enums<E: OpenEnum, C>(_ values: [E]) throws(WireError) -> UnsafeMutablePointer<C> {
        let target: UnsafeMutablePointer<C> = try allocate(values.count)
        let raw = UnsafeMutableRawPointer(target)
        for index in values.indices {
            raw.storeBytes(of: values[index].rawValue, toByteOffset: index * 4, as: Int32.self)
        }
        return target
    }

    /// protobuf-c takes -0.0 for the default and leaves it out; this adds it as a field that
    /// protobuf-c does not know, which it writes as it is.
    @inline(__always)
    func keepNegativeZero<T: BinaryFloatingPoint & BitwiseCopyable>(
        _ value: T, field: UInt32, of base: inout ProtobufCMessage
    ) throws(WireError) {
        if value == 0, value.sign == .minus { try addUnknown(value, field: field, to: &base) }
    }

    private func addUnknown<T: BitwiseCopyable>(
        _ value: T, field: UInt32, to base: inout ProtobufCMessage
    ) throws(WireError) {
        let count = Int(base.n_unknown_fields)
        let fields: UnsafeMutablePointer<ProtobufCMessageUnknownField> = try allocate(count + 1)
        if let old = base.unknown_fields { fields.update(from: old, count: count) }
        let target: UnsafeMutablePointer<T> = try allocate()
        target.initialize(to: value)
        fields[count] = ProtobufCMessageUnknownField(
            tag: field,
            wire_type: MemoryLayout<T>.size == 8
                ? PROTOBUF_C_WIRE_TYPE_64BIT : PROTOBUF_C_WIRE_TYPE_32BIT,
            len: MemoryLayout<T>.size,
            data: UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt8.self))
        base.unknown_fields = fields
        base.n_unknown_fields = UInt32(count + 1)
    }
}
