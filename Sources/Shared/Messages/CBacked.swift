package import Base
import CMessages
import CProtobufC
import CWire

/// A message that protobuf-c can read and write: what the generator adds to each struct.
protocol CBacked: WireMessage {
    /// The struct that protoc-c made for the message.
    associatedtype CForm

    /// The schema that protobuf-c works from.
    static var schema: UnsafePointer<ProtobufCMessageDescriptor> { get }

    /// Writes the message into `c`, which is not initialised yet.
    func fill(_ c: UnsafeMutablePointer<CForm>, _ writer: WireWriter) throws(WireError)

    /// The message that protobuf-c read into `c`.
    init(_ c: UnsafePointer<CForm>, _ reader: borrowing WireReader)
}

extension WireMessage {
    /// A new message that `body` fills in.
    package static func with<E>(_ body: (inout Self) throws(E) -> Void) throws(E) -> Self {
        var message = Self()
        try body(&message)
        return message
    }
}

/// What decoding allows.
///
/// The budget bounds the memory that protobuf-c takes for its form of a message: 8 times the input
/// (without the large `bytes` fields, which are not copied) and 1 MiB more, never above 256 MiB.
/// Ordinary messages take 1 to 4 times their input; small numbers in packed fields take 8.
package enum DecodeLimits {
    /// Messages inside messages, the outermost counted.
    package static let depthMax = 64
    /// From this size a `bytes` field is a slice of the input instead of a copy.
    package static let largeBytesMin = 4096
    static let budgetPerByte = 8
    static let budgetBase = 1 << 20
    static let budgetMax = 256 << 20

    static func budgetBytes(inputBytes: Int) -> Int {
        min(inputBytes * budgetPerByte + budgetBase, budgetMax)
    }
}

/// The largest encoding there can be: lengths are signed 32-bit numbers in protobuf-c.
private let encodedBytesMax = Int(Int32.max)

/// Writes `message`; see `WireMessage.encode`.
func encodeMessage<M: CBacked>(
    _ message: M, _ reserve: (_ count: Int) throws(WireError) -> UnsafeMutableRawPointer
) throws(WireError) {
    guard let arena = cwire_open(.max) else {
        throw .tooLarge(message: M.messageName, bytes: 0)
    }
    defer { cwire_close(arena) }
    let writer = WireWriter(arena: arena, messageName: M.messageName)
    let c = try writer.message(message)
    let base = UnsafeRawPointer(c).assumingMemoryBound(to: ProtobufCMessage.self)
    let count = protobuf_c_message_get_packed_size(base)
    guard count <= encodedBytesMax else {
        throw .tooLarge(message: M.messageName, bytes: count)
    }
    let target = try reserve(count)
    protobuf_c_message_pack(base, target.assumingMemoryBound(to: UInt8.self))
    // The C form points into the `Bytes` of the message.
    withExtendedLifetime(message) {}
}

/// Reads a message; see `WireMessage.init(decoding:)`.
func decodeMessage<M: CBacked>(_ bytes: Bytes, as type: M.Type) throws(WireError) -> M {
    guard bytes.count <= encodedBytesMax else {
        throw .tooLarge(message: M.messageName, bytes: bytes.count)
    }
    return try bytes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) throws(WireError) -> M in
        guard let base = raw.baseAddress else { return M() }
        let start = base.assumingMemoryBound(to: UInt8.self)
        let scan = cwire_scan(
            M.schema, start, raw.count, UInt32(DecodeLimits.depthMax), DecodeLimits.largeBytesMin)
        guard scan.verdict == CWIRE_FINE else { throw scanError(scan, in: M.messageName) }
        let budget = DecodeLimits.budgetBytes(inputBytes: raw.count - scan.large_bytes)
        guard let arena = cwire_open(budget) else {
            throw .overBudget(message: M.messageName, budgetBytes: budget)
        }
        defer { cwire_close(arena) }
        let refused = WireError.overBudget(message: M.messageName, budgetBytes: budget)
        var (input, count) = (start, raw.count)
        if scan.large_bytes > 0 {
            guard let reduced = cwire_take(arena, scan.reduced_bytes_max) else { throw refused }
            let target = reduced.assumingMemoryBound(to: UInt8.self)
            count = cwire_reduce(M.schema, start, raw.count, target)
            input = UnsafePointer(target)
        }
        guard let c = protobuf_c_message_unpack(M.schema, &arena.pointee.allocator, count, input)
        else {
            throw arena.pointee.is_refused
                ? refused
                : .malformed(message: M.messageName, why: "a field does not have its type's form")
        }
        let form = UnsafeRawPointer(c).assumingMemoryBound(to: M.CForm.self)
        return M(form, WireReader(source: bytes, isReduced: scan.large_bytes > 0))
    }
}

/// The error for what the scan found.
private func scanError(_ scan: cwire_scan_result, in message: String) -> WireError {
    if scan.verdict == CWIRE_TOO_DEEP {
        return .tooDeep(message: message, depthMax: DecodeLimits.depthMax)
    }
    let why =
        switch scan.verdict {
        case CWIRE_TRUNCATED: "it ends in the middle of a field"
        case CWIRE_BAD_VARINT: "a number has more than 10 bytes"
        case CWIRE_BAD_TAG: "a field number is not within 1...536870911"
        case CWIRE_GROUP: "it has a group, which proto3 does not"
        case CWIRE_BAD_UTF8: "a string is not UTF-8"
        case CWIRE_NUL: "a string holds a NUL character"
        default: "a field has an unknown wire type"
        }
    guard let owner = scan.message else { return .malformed(message: message, why: why) }
    var place = String(cString: owner)
    if let field = scan.field { place += "." + String(cString: field) }
    return .malformed(message: message, why: "\(why) (at \(place))")
}
