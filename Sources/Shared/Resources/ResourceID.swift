/// The last part of a resource's name.
package enum ResourceID {
    /// Whether it is `[a-z][a-z0-9-]{0,62}`.
    ///
    /// - Parameter extra: further bytes that are allowed after the first
    package static func isValid(_ id: String, extra: String = "") -> Bool {
        guard let first = id.utf8.first, id.utf8.count <= ResourceLimits.idBytesMax else {
            return false
        }
        return (0x61...0x7a).contains(first)
            && id.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2d
                    || extra.utf8.contains(byte)
            }
    }

    /// A new one: a letter and 12 more characters.
    package static func new(_ letter: Character) -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 36)
        return String(letter) + digits.prefix(12)
    }
}
