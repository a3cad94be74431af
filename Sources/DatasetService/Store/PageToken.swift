import Base
import Digests
import Foundation

/// Where the next page begins, and of which request it is a page.
struct PageToken: Sendable, Hashable {
    /// The sorting key of the last item sent.
    let key: String
    /// Its number, which decides between equal keys.
    let id: Int64

    /// Text for a client; only good for the same request.
    func text(for request: String) -> String {
        let body = "\(id)|\(key)"
        return Hexadecimal.text(Self.mark(request) + Array(body.utf8))
    }

    init(key: String, id: Int64) { (self.key, self.id) = (key, id) }

    /// Reads a token; nil for the first page.
    init?(_ text: String, for request: String) throws(DatasetError) {
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
struct PageSize {
    let count: Int

    init(_ asked: UInt32) {
        count = asked == 0 ? Limits.pageSizeStandard : min(Int(asked), Limits.pageSizeMax)
    }
}

/// `order_by`: one of the fields allowed, upwards or downwards.
struct PageOrder: Sendable, Hashable {
    let field: String
    let isDescending: Bool

    init(_ text: String, allowed: [String], standard: String, descending: Bool = false)
        throws(DatasetError)
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
