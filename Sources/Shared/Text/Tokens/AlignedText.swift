import Foundation

/// A piece of text on its way through normalisers, and where each of its bytes comes from.
struct AlignedText {
    private(set) var bytes: [UInt8] = []
    /// For each byte, the bytes of the original text that it stands for; empty if nobody asked.
    private(set) var origins: [Origin] = []
    private let isTracking: Bool

    /// Bytes `low..<high` of the original text.
    struct Origin {
        let low: Int32
        let high: Int32
    }

    init(isTracking: Bool) { self.isTracking = isTracking }

    /// A part of an original text that starts at `offset` there.
    mutating func load(_ text: UnsafeBufferPointer<UInt8>, offset: Int) {
        bytes.removeAll(keepingCapacity: true)
        origins.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: text)
        guard isTracking else { return }
        for index in offset..<(offset + text.count) {
            origins.append(Origin(low: Int32(index), high: Int32(index + 1)))
        }
    }

    /// A part of another text.
    func part(_ range: Range<Int>) -> AlignedText {
        var part = AlignedText(isTracking: isTracking)
        part.append(range, of: self)
        return part
    }

    /// The bytes of the original text that `range` stands for.
    func original(_ range: Range<Int>) -> Range<Int> {
        guard isTracking, let first = origins[range].first, let last = origins[range].last else {
            return 0..<0
        }
        return Int(first.low)..<Int(max(first.low, last.high))
    }

    /// Appends another text.
    mutating func append(_ other: AlignedText) { append(0..<other.bytes.count, of: other) }

    private mutating func append(_ range: Range<Int>, of other: AlignedText) {
        bytes.append(contentsOf: other.bytes[range])
        if isTracking { origins.append(contentsOf: other.origins[range]) }
    }

    /// Appends bytes that stand for `range` of another text, or for nothing where it is empty.
    private mutating func append(
        _ added: some Collection<UInt8>, for range: Range<Int>, of other: AlignedText
    ) {
        bytes.append(contentsOf: added)
        guard isTracking else { return }
        let low =
            range.lowerBound < other.origins.count
            ? other.origins[range.lowerBound].low : other.origins.last?.high ?? 0
        let high = range.isEmpty ? low : other.origins[range.upperBound - 1].high
        origins.append(
            contentsOf: repeatElement(Origin(low: low, high: high), count: added.count))
    }

    /// Puts bytes in front that stand for nothing.
    mutating func prepend(_ added: [UInt8]) {
        bytes.insert(contentsOf: added, at: 0)
        guard isTracking else { return }
        let origin = Origin(low: origins.first?.low ?? 0, high: origins.first?.low ?? 0)
        origins.insert(contentsOf: repeatElement(origin, count: added.count), at: 0)
    }

    /// Keeps `range` only.
    mutating func keep(_ range: Range<Int>) { self = part(range) }

    /// Replaces every occurrence of a string.
    mutating func replace(_ pattern: [UInt8], with content: [UInt8]) {
        guard let first = pattern.first, bytes.contains(first) else { return }
        var result = AlignedText(isTracking: isTracking)
        result.bytes.reserveCapacity(bytes.count + bytes.count / 2)
        var (position, kept) = (0, 0)
        while position < bytes.count {
            guard bytes[position] == first, bytes[position...].starts(with: pattern) else {
                position += 1
                continue
            }
            result.append(kept..<position, of: self)
            let end = position + pattern.count
            result.append(content, for: position..<end, of: self)
            (position, kept) = (end, end)
        }
        result.append(kept..<bytes.count, of: self)
        self = result
    }

    /// Replaces the given parts, which are in order and do not overlap.
    mutating func replace(_ ranges: [Range<Int>], with content: (Range<Int>) -> [UInt8]) {
        guard !ranges.isEmpty else { return }
        var result = AlignedText(isTracking: isTracking)
        var kept = 0
        for range in ranges {
            result.append(kept..<range.lowerBound, of: self)
            result.append(replaced: range, with: content(range), of: self)
            kept = range.upperBound
        }
        result.append(kept..<bytes.count, of: self)
        self = result
    }

    /// Appends what replaces a part; what both begin or end with alike keeps its origin.
    private mutating func append(
        replaced range: Range<Int>, with content: [UInt8], of other: AlignedText
    ) {
        let old = other.bytes[range]
        let shortest = min(old.count, content.count)
        var head = zip(old, content).prefix { $0 == $1 }.count
        while head > 0, head < content.count, content[head] & 0xc0 == 0x80 { head -= 1 }
        var tail = zip(old.reversed(), content.reversed()).prefix(shortest - head)
            .prefix { $0 == $1 }.count
        while tail > 0, content[content.count - tail] & 0xc0 == 0x80 { tail -= 1 }
        let middle = (range.lowerBound + head)..<(range.upperBound - tail)
        append(range.lowerBound..<middle.lowerBound, of: other)
        append(content[head..<(content.count - tail)], for: middle, of: other)
        append(middle.upperBound..<range.upperBound, of: other)
    }

    /// Composes characters as Unicode normal form C says.
    mutating func compose() {
        let ranges = composableRanges()
        let source = bytes
        replace(ranges) { range in
            let text = String(decoding: source[range], as: UTF8.self)
            return Array(text.precomposedStringWithCanonicalMapping.utf8)
        }
    }

    /// The parts that composition may change: from a character that nothing joins to the left,
    /// through all that may change or join it.
    private func composableRanges() -> [Range<Int>] {
        bytes.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return [] }
            var ranges: [Range<Int>] = []
            var (position, previous) = (0, 0)
            while position < text.count {
                if base[position] < 0x80 {
                    (previous, position) = (position, position + 1)
                    continue
                }
                let (scalar, end) = UTF8Scalars.next(base, position)
                if ScalarKinds.isInert(scalar) {
                    previous = position
                } else if let last = ranges.last, last.upperBound >= previous {
                    ranges[ranges.count - 1] = last.lowerBound..<end
                    previous = end
                } else {
                    ranges.append(previous..<end)
                    previous = end
                }
                position = end
            }
            return ranges
        }
    }
}
