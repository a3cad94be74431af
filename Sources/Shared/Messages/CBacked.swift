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
    let writer = try WireWriter(messageName: M.messageName)
    defer { writer.close() }
    try pack(UnsafeRawPointer(try writer.message(message)), M.messageName, reserve)
    // The C form points into the `Bytes` of the message.
    withExtendedLifetime(message) {}
}

/// Reads a message; see `WireMessage.init(decoding:)`.
func decodeMessage<M: CBacked>(_ bytes: Bytes, as type: M.Type) throws(WireError) -> M {
    var message: M?
    try unpack(bytes, M.schema, M.messageName) { c, reader in
        message = M(c.assumingMemoryBound(to: M.CForm.self), reader)
    }
    return message ?? M()
}

// The rest is the same for all messages, and is not generic so that it is compiled once.

/// Writes a C form.
private func pack(
    _ c: UnsafeRawPointer, _ messageName: String,
    _ reserve: (_ count: Int) throws(WireError) -> UnsafeMutableRawPointer
) throws(WireError) {
    let base = c.assumingMemoryBound(to: ProtobufCMessage.self)
    let count = protobuf_c_message_get_packed_size(base)
    guard count <= encodedBytesMax else { throw .tooLarge(message: messageName, bytes: count) }
    let target = try reserve(count)
    protobuf_c_message_pack(base, target.assumingMemoryBound(to: UInt8.self))
}

/// Parses `bytes` and gives `convert` the C form; it is freed when `convert` returns.
private func unpack(
    _ bytes: Bytes, _ schema: UnsafePointer<ProtobufCMessageDescriptor>, _ messageName: String,
    _ convert: (UnsafeRawPointer, borrowing WireReader) -> Void
) throws(WireError) {
    guard bytes.count <= encodedBytesMax else {
        throw .tooLarge(message: messageName, bytes: bytes.count)
    }
    try bytes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) throws(WireError) in
        guard let start = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        let scan = cwire_scan(
            schema, start, raw.count, UInt32(DecodeLimits.depthMax), DecodeLimits.largeBytesMin)
        guard scan.verdict == CWIRE_FINE else { throw scanError(scan, in: messageName) }
        let budget = DecodeLimits.budgetBytes(inputBytes: raw.count - scan.large_bytes)
        let refused = WireError.overBudget(message: messageName, budgetBytes: budget)
        guard let arena = cwire_open(budget) else { throw refused }
        defer { cwire_close(arena) }
        var (input, count) = (start, raw.count)
        if scan.large_bytes > 0 {
            guard let reduced = cwire_take(arena, scan.reduced_bytes_max) else { throw refused }
            let target = reduced.assumingMemoryBound(to: UInt8.self)
            count = cwire_reduce(schema, start, raw.count, target)
            input = UnsafePointer(target)
        }
        guard let c = protobuf_c_message_unpack(schema, &arena.pointee.allocator, count, input)
        else {
            if arena.pointee.is_refused { throw refused }
            throw .malformed(message: messageName, why: "a field does not have its type's form")
        }
        convert(UnsafeRawPointer(c), WireReader(source: bytes, isReduced: scan.large_bytes > 0))
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
