import Base
import CNGHTTP2
import COpenSSL
import Glibc

/// The header fields of a request, a response or trailers that matter to gRPC.
///
/// A class, so that a connection can fill the same one for each request without copying it about.
final class HeaderBlock {
    /// Names and values, plus 32 bytes a field, as HTTP/2 counts.
    private(set) var byteCount = 0
    private(set) var isTooLarge = false
    private(set) var path = ""
    /// The path of the block before, which mostly is the same: its text is not made again.
    private var lastPath = ""
    private(set) var isPost = false
    private(set) var isGRPC = false
    private(set) var httpStatus = 0
    private(set) var encoding: String?
    private(set) var acceptsGzip = false
    private(set) var timeout: String?
    private(set) var authorization: String?
    private(set) var grpcStatus: String?
    private(set) var grpcMessage: String?
    private(set) var grpcDetails: Bytes?
    private(set) var metadata = Metadata()

    /// The most metadata fields in one block.
    static let fieldsMax = 256

    typealias Field = UnsafeBufferPointer<UInt8>

    /// Forgets everything, for the next block.
    func reset() {
        lastPath = path
        (byteCount, isTooLarge, path, isPost, isGRPC, httpStatus) = (0, false, "", false, false, 0)
        (encoding, acceptsGzip, timeout, authorization) = (nil, false, nil, nil)
        (grpcStatus, grpcMessage, grpcDetails) = (nil, nil, nil)
        if !metadata.isEmpty { metadata = Metadata() }
    }

    /// Takes one field, unless there are too many. Returns false for a peer that sends so much more
    /// than `bytesMax` that it cannot be honest.
    func take(_ name: Field, _ value: Field, bytesMax: Int) -> Bool {
        byteCount += name.count + value.count + 32
        if byteCount > bytesMax { isTooLarge = true }
        if !isTooLarge { add(name, value) }
        return byteCount <= bytesMax + (1 << 20)
    }

    private func add(_ name: Field, _ value: Field) {
        switch name.first {
        case UInt8(ascii: ":"): addPseudo(name, value)
        case UInt8(ascii: "g") where name.begins(with: "grpc-"): addGRPC(name, value)
        default: addOther(name, value)
        }
    }

    private func addPseudo(_ name: Field, _ value: Field) {
        if name.equals(":path") {
            path = value.equals(lastPath) ? lastPath : text(value)
        } else if name.equals(":method") {
            isPost = value.equals("POST")
        } else if name.equals(":status") {
            httpStatus = Int(text(value)) ?? 0
        }
    }

    private func addGRPC(_ name: Field, _ value: Field) {
        if name.equals("grpc-timeout") {
            timeout = text(value)
        } else if name.equals("grpc-encoding") {
            encoding = text(value)
        } else if name.equals("grpc-accept-encoding") {
            acceptsGzip = text(value).split(separator: ",").contains {
                $0.drop { $0 == " " } == "gzip"
            }
        } else if name.equals("grpc-status") {
            grpcStatus = text(value)
        } else if name.equals("grpc-message") {
            grpcMessage = PercentCoding.decode(value)
        } else if name.equals("grpc-status-details-bin") {
            grpcDetails = Base64.decode(value)
        }
    }

    private func addOther(_ name: Field, _ value: Field) {
        if name.equals("content-type") {
            isGRPC = HeaderBlock.isGRPCType(value)
        } else if name.equals("te") || name.equals("user-agent") {
            return
        } else if name.equals("authorization") {
            authorization = text(value)
        } else if metadata.entries.count < HeaderBlock.fieldsMax {
            addMetadata(text(name), value)
        } else {
            isTooLarge = true
        }
    }

    private func addMetadata(_ name: String, _ value: Field) {
        guard name.hasSuffix("-bin") else {
            metadata.appendReceived(name, Bytes(copying: UnsafeRawBufferPointer(value)))
            return
        }
        // An empty value is a value: no bytes.
        let parts = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        for part in parts {
            let trimmed = part.drop { $0 == UInt8(ascii: " ") }
            guard let bytes = Base64.decode(UnsafeBufferPointer(rebasing: trimmed)) else {
                continue
            }
            metadata.appendReceived(name, bytes)
        }
    }

    private func text(_ field: Field) -> String { String(decoding: field, as: UTF8.self) }

    private static func isGRPCType(_ value: Field) -> Bool {
        let prefix: StaticString = "application/grpc"
        guard value.begins(with: prefix) else { return false }
        guard value.count > prefix.utf8CodeUnitCount else { return true }
        let rest = value[prefix.utf8CodeUnitCount...]
        return rest.elementsEqual("+proto".utf8) || rest.first == UInt8(ascii: ";")
            || rest.starts(with: "+proto;".utf8)
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether the bytes are those of `text`.
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        guard let baseAddress else { return true }
        return memcmp(baseAddress, text.utf8Start, count) == 0
    }

    /// Whether the first bytes are those of `text`.
    func begins(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount, let baseAddress else { return false }
        return memcmp(baseAddress, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    func equals(_ text: String) -> Bool {
        let fast = text.utf8.withContiguousStorageIfAvailable { other in
            guard count == other.count, let mine = baseAddress, let its = other.baseAddress else {
                return false
            }
            return memcmp(mine, its, count) == 0
        }
        return fast ?? elementsEqual(text.utf8)
    }
}

/// A list of header fields to send, with the memory that they point to.
struct HeaderList {
    private var bytes: [UInt8] = []
    private var lengths: [(name: Int, value: Int)] = []

    mutating func append(_ name: String, _ value: String) {
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: value.utf8)
        lengths.append((name.utf8.count, value.utf8.count))
    }

    mutating func append(_ metadata: Metadata) {
        for entry in metadata.entries {
            append(
                entry.name, entry.name.hasSuffix("-bin") ? Base64.encode(entry.value) : entry.text)
        }
    }

    /// Calls `body` with the fields as nghttp2 takes them; it copies what it keeps.
    func withFields<R>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> R) -> R {
        bytes.withUnsafeBufferPointer { storage in
            withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: lengths.count) { fields in
                var next = UnsafeMutablePointer(mutating: storage.baseAddress!)
                for (index, length) in lengths.enumerated() {
                    fields.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: next, value: next + length.name, namelen: length.name,
                            valuelen: length.value, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
                    next += length.name + length.value
                }
                return body(UnsafeBufferPointer(fields))
            }
        }
    }
}

/// The escaping of `grpc-message`: printable ASCII but `%` stands for itself, the rest is `%XX`.
enum PercentCoding {
    static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            if byte >= 0x20, byte <= 0x7e, byte != UInt8(ascii: "%") {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Invalid escapes stay as they are, as the specification asks.
    static func decode(_ field: UnsafeBufferPointer<UInt8>) -> String {
        var out: [UInt8] = []
        var index = 0
        while index < field.count {
            if field[index] == UInt8(ascii: "%"), index + 2 < field.count,
                let high = hexValue(field[index + 1]), let low = hexValue(field[index + 2])
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(field[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// Base64 by OpenSSL, as `-bin` metadata uses it: sent without padding, accepted with or without.
enum Base64 {
    static func encode(_ bytes: Bytes) -> String {
        var out = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = bytes.withUnsafeBytes { source in
            EVP_EncodeBlock(
                &out, source.assumingMemoryBound(to: UInt8.self).baseAddress, Int32(source.count))
        }
        return String(
            decoding: out.prefix(Int(count)).filter { $0 != UInt8(ascii: "=") }, as: UTF8.self)
    }

    /// Nil if the text is not base64.
    static func decode(_ field: UnsafeBufferPointer<UInt8>) -> Bytes? {
        var text = Array(field)
        while text.last == UInt8(ascii: "=") { text.removeLast() }
        let padding = (4 - text.count % 4) % 4
        guard padding < 3, !text.contains(UInt8(ascii: "=")) else { return nil }
        guard !text.isEmpty else { return Bytes() }
        text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: padding))
        var out = [UInt8](repeating: 0, count: text.count / 4 * 3)
        let count = EVP_DecodeBlock(&out, text, Int32(text.count))
        guard count >= padding else { return nil }
        return Bytes(out.prefix(Int(count) - padding))
    }
}

/// The `grpc-timeout` header: at most eight digits and a unit.
enum TimeoutCoding {
    /// Seconds; nil if the text is not a timeout.
    static func decode(_ text: String) -> Double? {
        guard let unit = text.utf8.last, (2...9).contains(text.utf8.count),
            text.utf8.dropLast().allSatisfy({ (48...57).contains($0) }),
            let count = Double(text.dropLast())
        else { return nil }
        switch unit {
        case UInt8(ascii: "H"): return count * 3600
        case UInt8(ascii: "M"): return count * 60
        case UInt8(ascii: "S"): return count
        case UInt8(ascii: "m"): return count / 1e3
        case UInt8(ascii: "u"): return count / 1e6
        case UInt8(ascii: "n"): return count / 1e9
        default: return nil
        }
    }

    static func encode(seconds: Double) -> String {
        let nanoseconds = max(seconds, 0) * 1e9
        for (unit, size) in [("n", 1.0), ("u", 1e3), ("m", 1e6), ("S", 1e9), ("M", 6e10)]
        where (nanoseconds / size).rounded(.up) < 1e8 {
            return "\(Int((nanoseconds / size).rounded(.up)))\(unit)"
        }
        return "\(Int(min((nanoseconds / 3.6e12).rounded(.up), 99_999_999)))H"
    }
}
