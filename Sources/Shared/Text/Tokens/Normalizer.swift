import Foundation

/// What happens to text before it is cut into words.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
    case replaceMatches(Pattern, with: [UInt8])
    case compose
    /// The other Unicode normal forms and lower case, as Foundation does them.
    case mapped(Mapping)
    case strip(left: Bool, right: Bool)

    /// A mapping of whole texts; offsets are then those of words.
    enum Mapping: String, Sendable { case NFD, NFKC, NFKD, Lowercase }

    func apply(to text: inout AlignedText, _ scratch: inout MatchScratch) throws(TokenizerError) {
        guard !text.bytes.isEmpty else { return }
        switch self {
        case .sequence(let steps):
            for step in steps { try step.apply(to: &text, &scratch) }
        case .prepend(let bytes): text.prepend(bytes)
        case .replace(let pattern, let content): text.replace(pattern, with: content)
        case .replaceMatches(let pattern, let content):
            let ranges = try pattern.matches(in: text.bytes, &scratch)
            text.replace(ranges) { _ in content }
        case .compose: text.compose()
        case .mapped(let mapping): mapping.apply(to: &text)
        case .strip(let left, let right): Self.strip(&text, left, right)
        }
    }

    private static func strip(_ text: inout AlignedText, _ left: Bool, _ right: Bool) {
        let scalars = Array(String(decoding: text.bytes, as: UTF8.self).unicodeScalars)
        let start = left ? blankBytes(scalars) : 0
        let end = text.bytes.count - (right ? blankBytes(scalars.reversed()) : 0)
        text.keep(start..<max(start, end))
    }

    /// Bytes of white space at the beginning.
    private static func blankBytes(_ scalars: [Unicode.Scalar]) -> Int {
        scalars.prefix { $0.properties.isWhitespace }.reduce(0) { $0 + UTF8.width($1) }
    }
}

extension Normalizer.Mapping {
    /// Maps each stretch between blanks on its own, so that offsets stay close.
    fileprivate func apply(to text: inout AlignedText) {
        let bytes = text.bytes
        var ranges: [Range<Int>] = []
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == 0x20 || byte == 0x0a {
            ranges.append(start..<index)
            start = index + 1
        }
        ranges.append(start..<bytes.count)
        text.replace(ranges) { Array(map(String(decoding: bytes[$0], as: UTF8.self)).utf8) }
    }

    private func map(_ text: String) -> String {
        switch self {
        case .NFD: text.decomposedStringWithCanonicalMapping
        case .NFKC: text.precomposedStringWithCompatibilityMapping
        case .NFKD: text.decomposedStringWithCompatibilityMapping
        case .Lowercase: text.lowercased()
        }
    }
}

extension UTF8 {
    fileprivate static func width(_ scalar: Unicode.Scalar) -> Int {
        UTF8.encode(scalar)?.count ?? 0
    }
}
