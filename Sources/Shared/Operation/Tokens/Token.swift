import Digests

/// A secret that stands for a principal: `fovea_ID_SECRET`.
///
/// The identifier (8 random bytes) is public and finds the line of the token; the secret (32 random
/// bytes) is what must be known. 256 random bits cannot be guessed, so one salted SHA-256 protects
/// the file as well as a slow password hash would, and costs a call less than a microsecond.
package struct Token: Sendable {
    /// What the caller sends after `Bearer `.
    package let text: String
    /// 16 hexadecimal digits.
    package let id: String

    private static let prefix = "fovea_"

    /// A new token.
    package init(randomness: inout some RandomNumberGenerator) {
        let id = Hexadecimal.text(Token.bytes(8, &randomness))
        self.id = id
        text = Token.prefix + id + "_" + Hexadecimal.text(Token.bytes(32, &randomness))
    }

    /// Reads what a caller sent; nil if it cannot be a token.
    package init?(_ text: String) {
        let bytes = text.utf8
        let idStart = bytes.index(bytes.startIndex, offsetBy: 6, limitedBy: bytes.endIndex)
        guard bytes.count == 87, text.hasPrefix(Token.prefix), let idStart else { return nil }
        let idEnd = bytes.index(idStart, offsetBy: 16)
        guard let id = String(bytes[idStart..<idEnd]), bytes[idEnd] == UInt8(ascii: "_") else {
            return nil
        }
        (self.text, self.id) = (text, id)
    }

    /// What the token file keeps of it.
    package func hashed(salt: [UInt8]) -> TokenHash {
        TokenHash(id: id, salt: salt, digest: TokenHash.digest(of: self, salt: salt))
    }

    static func bytes(_ count: Int, _ randomness: inout some RandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &randomness) }
    }
}

/// What a server knows of a token: enough to recognise it, not enough to use it.
package struct TokenHash: Sendable, Hashable {
    package let id: String
    let salt: [UInt8]
    let digest: Digest256

    init(id: String, salt: [UInt8], digest: Digest256) {
        (self.id, self.salt, self.digest) = (id, salt, digest)
    }

    /// Reads `sha256:ID:SALT:DIGEST`, all hexadecimal; nil if it is something else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "sha256", Hexadecimal.bytes(parts[1])?.count == 8,
            let salt = Hexadecimal.bytes(parts[2]), salt.count == 16,
            let digest = Digest256(hex: parts[3])
        else { return nil }
        self.init(id: parts[1], salt: salt, digest: digest)
    }

    /// Whether this was made of `token`. Takes the same time for every wrong secret.
    package func matches(_ token: Token) -> Bool {
        TokenHash.digest(of: token, salt: salt).equalsInConstantTime(digest)
    }

    static func digest(of token: Token, salt: [UInt8]) -> Digest256 {
        var hash = SHA256()
        salt.withUnsafeBytes { hash.update($0) }
        var text = token.text
        text.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
        return hash.finish()
    }
}

extension TokenHash: CustomStringConvertible {
    package var description: String {
        "sha256:\(id):\(Hexadecimal.text(salt)):\(digest.hex)"
    }
}

/// The system's random numbers, for secrets.
///
/// It counts what it gave, because the thread sanitizer cannot follow a reference to a value
/// without storage, which `SystemRandomNumberGenerator` is.
struct SystemEntropy: RandomNumberGenerator {
    private(set) var drawnCount = 0

    mutating func next() -> UInt64 {
        drawnCount += 1
        var system = SystemRandomNumberGenerator()
        return system.next()
    }
}
