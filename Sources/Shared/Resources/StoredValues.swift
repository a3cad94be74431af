package import Base
package import Digests
package import Messages
package import Storage

extension SQLValue {
    /// The 32 bytes of a digest.
    package init(_ digest: Digest256) { self = .blob(digest.withBytes { Bytes(copying: $0) }) }

    /// The digest of bytes, one after another.
    package static func digest(_ parts: Bytes...) -> SQLValue {
        var hash = SHA256()
        for part in parts { part.withUnsafeBytes { hash.update($0) } }
        return SQLValue(hash.finish())
    }
}

extension Row {
    /// A digest stored by `SQLValue`; nil for anything else.
    package func digest(_ column: Int32) -> Digest256? { withBlob(column) { Digest256($0) } }
}

extension GoogleProtobuf.Timestamp {
    /// A moment in nanoseconds since 1970.
    package init(nanoseconds: Int64) {
        self.init()
        seconds = nanoseconds / 1_000_000_000
        nanos = Int32(nanoseconds % 1_000_000_000)
    }

    /// The moment in nanoseconds since 1970, cut where that does not fit 64 bits.
    package var nanoseconds: Int64 {
        let bounded = min(max(seconds, -9_000_000_000), 9_000_000_000)
        return bounded * 1_000_000_000 + Int64(nanos)
    }
}
