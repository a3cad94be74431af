import Base
import CMessages
import CProtobufC
import CWire

/// Takes Swift values out of what protobuf-c read.
struct WireReader {
    /// The encoded message, which large `bytes` fields are slices of.
    let source: Bytes
    /// Whether each `bytes` field holds a `cwire_reference` instead of its contents.
    let isReduced: Bool

    init(source: Bytes, isReduced: Bool) {
        (self.source, self.isReduced) = (source, isReduced)
    }

    /// The scan has already checked that it is UTF-8.
    func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text, text.pointee != 0 else { return "" }
        return String(cString: text)
    }

    func bytes(_ field: ProtobufCBinaryData) -> Bytes {
        guard let data = field.data, field.len > 0 else { return Bytes() }
        let raw = UnsafeRawBufferPointer(start: data, count: field.len)
        guard isReduced else { return Bytes(copying: raw) }
        guard field.len == MemoryLayout<cwire_reference>.size else { return Bytes() }
        let reference = raw.loadUnaligned(as: cwire_reference.self)
        let start = Int(reference.offset)
        let slice = source.slice(start..<start + Int(reference.count))
        return slice.count >= DecodeLimits.largeBytesMin ? slice : slice.detached()
    }

    /// A message field; nil when it is not set.
    @inline(__always)
    func message<M: CBacked>(_ form: UnsafeMutablePointer<M.CForm>?, as type: M.Type) -> M? {
        guard let form else { return nil }
        return M(UnsafePointer(form), self)
    }

    func messages<M: CBacked>(
        _ forms: UnsafeMutablePointer<UnsafeMutablePointer<M.CForm>?>?, _ count: Int,
        as type: M.Type
    ) -> [M] {
        guard let forms, count > 0 else { return [] }
        var result: [M] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            if let form = forms[index] { result.append(M(UnsafePointer(form), self)) }
        }
        return result
    }

    func strings(_ texts: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int)
        -> [String]
    {
        guard let texts, count > 0 else { return [] }
        return UnsafeBufferPointer(start: texts, count: count).map { string($0) }
    }

    func bytes(_ elements: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int) -> [Bytes] {
        guard let elements, count > 0 else { return [] }
        return UnsafeBufferPointer(start: elements, count: count).map { bytes($0) }
    }

    func numbers<T: BitwiseCopyable>(_ numbers: UnsafeMutablePointer<T>?, _ count: Int) -> [T] {
        guard let numbers, count > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: numbers, count: count))
    }

    func booleans(_ values: UnsafeMutablePointer<protobuf_c_boolean>?, _ count: Int) -> [Bool] {
        guard let values, count > 0 else { return [] }
        return UnsafeBufferPointer(start: values, count: count).map { $0 != 0 }
    }

    func enums<E: OpenEnum, C>(_ values: UnsafeMutablePointer<C>?, _ count: Int, as type: E.Type)
        -> [E]
    {
        guard let values, count > 0 else { return [] }
        let raw = UnsafeRawPointer(values)
        return (0..<count).map { index in
            E(rawValue: raw.load(fromByteOffset: index * 4, as: Int32.self))
        }
    }
}
