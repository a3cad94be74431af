internal import CCrypto

/// A SHA-256 digest of bytes that may come in pieces.
package struct SHA256: ~Copyable {
    /// The algorithm, fetched once: a fetch costs more than a short digest. Never freed or changed.
    nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex2(context, SHA256.algorithm, nil) == 1
        else { preconditionFailure("SHA256: libcrypto has no memory or no SHA-256") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes the next bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "SHA256: update of \(bytes.count) bytes failed")
    }

    /// The digest of all that was given.
    package consuming func finish() -> Digest256 {
        var words: Digest256.Words = (0, 0, 0, 0)
        let status = withUnsafeMutableBytes(of: &words) { target in
            EVP_DigestFinal_ex(
                context, target.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
        }
        precondition(status == 1, "SHA256: the last step failed")
        return Digest256(words)
    }

    /// The digest of one run of bytes.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest256 {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }
}

/// 32 bytes that stand for content.
package struct Digest256: Sendable {
    typealias Words = (UInt64, UInt64, UInt64, UInt64)

    /// The bytes in the order of the digest.
    private let words: Words

    init(_ words: Words) { self.words = words }

    /// Reads 64 hexadecimal digits, lower case; nil if the text is something else.
    package init?(hex: String) {
        guard let bytes = Hexadecimal.bytes(hex), bytes.count == 32 else { return nil }
        var words: Words = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
        self.words = words
    }

    /// A digest of 32 bytes; nil if there are more or fewer.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var words: Words = (0, 0, 0, 0)
        guard bytes.count == 32 else { return nil }
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
        self.words = words
    }

    /// Calls `body` with the 32 bytes.
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: words, body)
    }

    /// The first of the 32 bytes.
    package var firstByte: UInt8 { withUnsafeBytes(of: words) { $0[0] } }

    /// 64 hexadecimal digits, lower case.
    package var hex: String { withUnsafeBytes(of: words) { Hexadecimal.text($0) } }

    /// Compares in a time that does not depend on where two digests differ.
    package func equalsInConstantTime(_ other: Digest256) -> Bool {
        let difference =
            (words.0 ^ other.words.0) | (words.1 ^ other.words.1) | (words.2 ^ other.words.2)
            | (words.3 ^ other.words.3)
        return difference == 0
    }
}

extension Digest256: Hashable {
    package static func == (a: Digest256, b: Digest256) -> Bool { a.equalsInConstantTime(b) }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Bytes as pairs of lower-case digits.
package enum Hexadecimal {
    /// The digits of `bytes`.
    package static func text(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte & 15))
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// nil if the text is not pairs of lower-case digits.
    package static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }
}
