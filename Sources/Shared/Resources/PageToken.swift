import Base
import Digests
import Foundation

/// Where the next page begins, and of which request it is a page.
package struct PageToken: Sendable, Hashable {
    /// The sorting key of the last item sent.
    package let key: String
    /// Its number, which decides between equal keys.
    package let id: Int64

    /// Text for a client; only good for the same request.
    package func text(for request: String) -> String {
        let body = "\(id)|\(key)"
        return Hexadecimal.text(Self.mark(request) + Array(body.utf8))
    }

    /// - Parameters:
    ///   - key: by which the list is sorted, of the last item sent
    ///   - id: its number
    package init(key: String, id: Int64) { (self.key, self.id) = (key, id) }

    /// Reads a token; nil for the first page.
    package init?(_ text: String, for request: String) throws(ResourceError) {
        guard !text.isEmpty else { return nil }
        let mark = Self.mark(request)
        guard let bytes = Hexadecimal.bytes(text), bytes.starts(with: mark) else {
            throw .badPageToken
        }
        let body = String(decoding: bytes.dropFirst(mark.count), as: UTF8.self)
        let parts = body.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let id = Int64(parts[0]) else { throw .badPageToken }
        (key, self.id) = (String(parts[1]), id)
    }

    private static func mark(_ request: String) -> [UInt8] {
        let digest = Bytes(request).withUnsafeBytes { SHA256.digest($0) }
        return digest.withBytes { Array($0.prefix(8)) }
    }
}

/// How many items a page has.
package struct PageSize {
    /// At least 1.
    package let count: Int

    /// - Parameter asked: 0 for the standard
    package init(_ asked: UInt32) {
        count =
            asked == 0
            ? ResourceLimits.pageSizeStandard : min(Int(asked), ResourceLimits.pageSizeMax)
    }
}

/// `order_by`: one of the fields allowed, upwards or downwards.
package struct PageOrder: Sendable, Hashable {
    /// One of the fields allowed.
    package let field: String
    /// Whether the largest comes first.
    package let isDescending: Bool

    /// - Parameters:
    ///   - text: a field, perhaps with `asc` or `desc`; empty for the standard
    ///   - allowed: the fields that can be sorted by
    package init(_ text: String, allowed: [String], standard: String, descending: Bool = false)
        throws(ResourceError)
    {
        let words = text.split(separator: " ").map(String.init)
        guard !words.isEmpty else {
            (field, isDescending) = (standard, descending)
            return
        }
        guard words.count <= 2, allowed.contains(words[0]),
            words.count == 1 || ["asc", "desc"].contains(words[1])
        else {
            let all = allowed.joined(separator: ", ")
            throw .badFilter(why: "order_by takes one of \(all), with or without desc", at: 0)
        }
        (field, isDescending) = (words[0], words.count == 2 && words[1] == "desc")
    }
}
