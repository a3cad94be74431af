/// A string, and which bytes of it came from the conversation rather than from the template.
///
/// Users may write anything: an image placeholder or `<|im_end|>` in their text is text. So the
/// origin goes with the string through every operation; where an operation cannot follow it,
/// the whole result counts as the conversation's.
struct MarkedText: Sendable {
    private(set) var text: String
    /// Bytes from the conversation, in order.
    private(set) var content: [Range<Int>] = []

    init(_ text: String) { self.text = text }

    /// A text of which all (or nothing) comes from the conversation.
    init(_ text: String, isContent: Bool) {
        self.text = text
        if isContent, !text.isEmpty { content = [0..<text.utf8.count] }
    }

    var hasContent: Bool { !content.isEmpty }

    static func + (a: MarkedText, b: MarkedText) -> MarkedText {
        var sum = a
        let offset = a.text.utf8.count
        sum.text += b.text
        for range in b.content {
            sum.mark((range.lowerBound + offset)..<(range.upperBound + offset))
        }
        // Beyond that many parts it is not worth the work to tell them apart.
        if sum.content.count > partsMax { sum.content = [0..<sum.text.utf8.count] }
        return sum
    }

    private static let partsMax = 1024

    private mutating func mark(_ range: Range<Int>) {
        if let last = content.last, last.upperBound == range.lowerBound {
            content[content.count - 1] = last.lowerBound..<range.upperBound
        } else {
            content.append(range)
        }
    }

    /// The text changed in a way that is not followed.
    func changed(_ change: (String) -> String) -> MarkedText {
        MarkedText(change(text), isContent: hasContent)
    }

    /// A part of it.
    subscript(_ bounds: Range<String.Index>) -> MarkedText {
        let start = text.utf8.distance(from: text.startIndex, to: bounds.lowerBound)
        var part = MarkedText(String(text[bounds]))
        let end = start + part.text.utf8.count
        part.content = content.compactMap { range in
            let (low, high) = (max(range.lowerBound, start), min(range.upperBound, end))
            return low < high ? (low - start)..<(high - start) : nil
        }
        return part
    }

    /// The text without scalars at either end that `isCut` accepts.
    func trimmed(
        left: Bool = true, right: Bool = true,
        _ isCut: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace }
    ) -> MarkedText {
        let scalars = text.unicodeScalars
        var (start, end) = (scalars.startIndex, scalars.endIndex)
        while left, start < end, isCut(scalars[start]) { start = scalars.index(after: start) }
        while right, start < end, isCut(scalars[scalars.index(before: end)]) {
            end = scalars.index(before: end)
        }
        return self[start..<end]
    }

    /// The parts between separators.
    func split(_ separator: String, max: Int = .max) -> [MarkedText] {
        var (parts, start) = ([MarkedText](), text.startIndex)
        while parts.count < max, let found = text.utf8Range(of: separator, from: start) {
            parts.append(self[start..<found.lowerBound])
            start = found.upperBound
        }
        return parts + [self[start..<text.endIndex]]
    }
}

extension String {
    /// The first place of `pattern`, compared byte by byte and in linear time on real text.
    func utf8Range(of pattern: String, from start: Index) -> Range<Index>? {
        let pattern = Array(pattern.utf8)
        guard let first = pattern.first else { return nil }
        var rest = utf8[start...]
        while let index = rest.firstIndex(of: first) {
            rest = utf8[index...]
            if rest.starts(with: pattern) {
                return index..<utf8.index(index, offsetBy: pattern.count)
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
