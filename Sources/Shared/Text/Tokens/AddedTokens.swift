/// A token that was added to a vocabulary, and how it is found in text.
package struct AddedToken: Sendable, Hashable {
    package var id: Int32
    package var content: String
    /// Takes blanks before (or after) it into itself.
    package var takesLeft = false
    package var takesRight = false
    /// Found only where no letter, digit or underscore stands next to it.
    package var isSingleWord = false
    /// Found in normalised text instead of the text as given.
    package var isNormalized = false
    /// Left out when text is decoded without special tokens.
    package var isSpecial = true
}

/// All added tokens of a tokenizer, ready to be found.
struct AddedTokens: Sendable {
    private(set) var byId: [Int32: AddedToken] = [:]
    private var plain = ByteTrie()
    private(set) var normalized = ByteTrie()
    private(set) var idsByContent: [String: Int32] = [:]

    /// A stretch of text: an added token, or (id -1) text between them.
    struct Segment {
        let id: Int32
        let start: Int
        let end: Int
    }

    mutating func insert(_ token: AddedToken, normalizedContent: [UInt8]) {
        guard !token.content.isEmpty else { return }
        byId[token.id] = token
        idsByContent[token.content] = token.id
        if token.isNormalized {
            normalized.insert(normalizedContent, id: token.id)
        } else {
            plain.insert(token.content.utf8, id: token.id)
        }
    }

    /// Cuts added tokens out of text as given, or with `normalized` out of normalised text.
    ///
    /// - Parameter options: say where which tokens are text like any other
    func segments(
        of text: UnsafeBufferPointer<UInt8>, normalized isNormalized: Bool,
        options: EncodeOptions = EncodeOptions()
    ) -> [Segment] {
        let trie = isNormalized ? normalized : plain
        guard !trie.isEmpty else { return [Segment(id: -1, start: 0, end: text.count)] }
        var result: [Segment] = []
        var (position, open, literal) = (0, 0, 0)
        while true {
            position = trie.firstCandidate(in: text, from: position)
            guard position < text.count else { break }
            guard let match = trie.longestMatch(in: text, at: position) else {
                position += 1
                continue
            }
            let literals = options.literals
            while literal < literals.count, literals[literal].upperBound <= position {
                literal += 1
            }
            let isLiteral =
                literal < literals.count && literals[literal].lowerBound < match.end
                && options.literalIds.contains(match.id)
            if !isLiteral, let token = byId[match.id],
                let found = token.bounds(in: text, position, match.end, from: open)
            {
                if open < found.start {
                    result.append(Segment(id: -1, start: open, end: found.start))
                }
                result.append(Segment(id: match.id, start: found.start, end: found.end))
                open = found.end
                position = max(match.end, found.end)
            } else {
                position = isLiteral ? position + 1 : match.end
            }
        }
        if open < text.count { result.append(Segment(id: -1, start: open, end: text.count)) }
        return result
    }
}

extension AddedToken {
    /// The match with the blanks that belong to it; nil if it is a part of a word and must not be.
    fileprivate func bounds(
        in text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, from open: Int
    ) -> (start: Int, end: Int)? {
        guard let base = text.baseAddress else { return nil }
        var (start, end) = (start, end)
        if isSingleWord {
            let before = start > 0 ? UTF8Scalars.start(before: start, in: base) : start
            if start > 0, Self.isWord(UTF8Scalars.next(base, before).scalar) { return nil }
            if end < text.count, Self.isWord(UTF8Scalars.next(base, end).scalar) { return nil }
        }
        while takesLeft, start > open {
            let before = UTF8Scalars.start(before: start, in: base)
            guard Self.isBlank(UTF8Scalars.next(base, before).scalar) else { break }
            start = before
        }
        while takesRight, end < text.count {
            let next = UTF8Scalars.next(base, end)
            guard Self.isBlank(next.scalar) else { break }
            end = next.end
        }
        return (max(start, open), end)
    }

    private static func isBlank(_ scalar: UInt32) -> Bool { ScalarKinds.kind(scalar) >= 32 }

    private static let wordKinds: UInt64 = ["L", "M", "N", "Pc"].reduce(0) {
        $0 | (ScalarKinds.kinds(ofCategory: $1) ?? 0)
    }

    private static func isWord(_ scalar: UInt32) -> Bool {
        wordKinds >> UInt64(ScalarKinds.kind(scalar)) & 1 == 1
    }
}
