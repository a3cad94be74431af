/// How text is cut into words.
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    case split(Pattern, Behavior, isInverted: Bool)
    /// Bytes as characters: here bytes stay bytes, so only the other effects remain.
    case byteLevel(addsPrefixSpace: Bool, Pattern?)
    case metaspace(Metaspace)

    /// What becomes of the matches of a pattern.
    enum Behavior: String, Sendable, CaseIterable {
        case isolated = "Isolated"
        case removed = "Removed"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    /// Blanks as a visible mark.
    struct Metaspace: Sendable {
        let mark: [UInt8]
        let scheme: Scheme
        let splits: Bool
        /// Matches the mark.
        let pattern: Pattern

        init(mark: Unicode.Scalar, scheme: Scheme, splits: Bool) throws(TokenizerError) {
            self.mark = Array(String(Character(mark)).utf8)
            (self.scheme, self.splits) = (scheme, splits)
            pattern = try Pattern("\\x{" + String(mark.value, radix: 16) + "}")
        }

        /// Where a mark is put in front.
        enum Scheme: String, Sendable, CaseIterable { case always, first, never }
    }

    /// Cuts `words` further; may change the text too.
    ///
    /// - Parameter isFirst: whether the text is the beginning of what the caller gave
    func apply(
        to text: inout AlignedText, _ words: inout [Range<Int>], isFirst: Bool,
        _ scratch: inout MatchScratch
    ) throws(TokenizerError) {
        switch self {
        case .sequence(let steps):
            for step in steps { try step.apply(to: &text, &words, isFirst: isFirst, &scratch) }
        case .split(let pattern, let behavior, let isInverted):
            try pattern.split(text.bytes, &words, behavior, isInverted: isInverted, &scratch)
        case .byteLevel(let addsPrefixSpace, let pattern):
            if addsPrefixSpace {
                Self.edit(&text, &words) { part, _ in
                    if part.bytes.first != 0x20 { part.prepend([0x20]) }
                }
            }
            if let pattern {
                try pattern.split(text.bytes, &words, .isolated, isInverted: false, &scratch)
            }
        case .metaspace(let metaspace):
            Self.edit(&text, &words) { part, index in
                metaspace.mark(&part, isFirst: isFirst && index == 0)
            }
            if metaspace.splits {
                try metaspace.pattern.split(
                    text.bytes, &words, .mergedWithNext, isInverted: false, &scratch)
            }
        }
    }

    /// Changes each word by itself.
    private static func edit(
        _ text: inout AlignedText, _ words: inout [Range<Int>],
        _ change: (inout AlignedText, Int) -> Void
    ) {
        if words.count == 1, words[0] == 0..<text.bytes.count {
            change(&text, 0)
            words = [0..<text.bytes.count]
            return
        }
        var result = text.part(0..<0)
        for (index, word) in words.enumerated() {
            var part = text.part(word)
            change(&part, index)
            let start = result.bytes.count
            result.append(part)
            words[index] = start..<result.bytes.count
        }
        text = result
    }
}

extension PreTokenizer.Metaspace {
    fileprivate func mark(_ part: inout AlignedText, isFirst: Bool) {
        part.replace([0x20], with: mark)
        let prepends =
            switch scheme {
            case .always: true
            case .first: isFirst
            case .never: false
            }
        if prepends, !part.bytes.starts(with: mark) { part.prepend(mark) }
    }
}

extension Pattern {
    /// All matches that are not empty, in order.
    func matches(
        in bytes: [UInt8], _ scratch: inout MatchScratch
    ) throws(TokenizerError) -> [Range<Int>] {
        try bytes.withUnsafeBufferPointer { text throws(TokenizerError) in
            var (ranges, position) = ([Range<Int>](), 0)
            while position < text.count {
                if let end = try matchEnd(in: text, at: position, &scratch) {
                    ranges.append(position..<end)
                    position = end
                } else {
                    position += UTF8Scalars.width(text[position])
                }
            }
            return ranges
        }
    }

    /// Cuts each of `words` where the pattern matches.
    func split(
        _ bytes: [UInt8], _ words: inout [Range<Int>], _ behavior: PreTokenizer.Behavior,
        isInverted: Bool, _ scratch: inout MatchScratch
    ) throws(TokenizerError) {
        var pieces: [Range<Int>] = []
        pieces.reserveCapacity(bytes.count / 4)
        var isFlagged: [Bool] = []
        let isPlain = behavior == .isolated
        try bytes.withUnsafeBufferPointer { all throws(TokenizerError) in
            for word in words {
                // Each word is a text of its own: look-ahead stops at its end.
                let text = UnsafeBufferPointer(rebasing: all[word])
                let start = word.lowerBound
                var (position, gap) = (0, 0)
                while position < text.count {
                    guard let end = try matchEnd(in: text, at: position, &scratch) else {
                        position += UTF8Scalars.width(text[position])
                        continue
                    }
                    if gap < position {
                        pieces.append((start + gap)..<(start + position))
                        if !isPlain { isFlagged.append(isInverted) }
                    }
                    pieces.append((start + position)..<(start + end))
                    if !isPlain { isFlagged.append(!isInverted) }
                    (position, gap) = (end, end)
                }
                if gap < text.count {
                    pieces.append((start + gap)..<word.upperBound)
                    if !isPlain { isFlagged.append(isInverted) }
                }
            }
        }
        words = isPlain ? pieces : behavior.join(pieces, isFlagged, within: words)
    }
}

extension PreTokenizer.Behavior {
    /// Puts pieces together again as the behaviour says.
    fileprivate func join(
        _ pieces: [Range<Int>], _ isMatch: [Bool], within words: [Range<Int>]
    ) -> [Range<Int>] {
        let starts = Set(words.map(\.lowerBound))
        var result: [Range<Int>] = []
        for index in pieces.indices {
            let piece = pieces[index]
            let isNewWord = starts.contains(piece.lowerBound)
            let joins: Bool =
                switch self {
                case .isolated: false
                case .removed:
                    false
                case .mergedWithPrevious: isMatch[index] && index > 0 && !isMatch[index - 1]
                case .mergedWithNext: !isMatch[index] && index > 0 && isMatch[index - 1]
                case .contiguous: index > 0 && isMatch[index] == isMatch[index - 1]
                }
            if self == .removed, isMatch[index] { continue }
            if joins, !isNewWord, let last = result.popLast() {
                result.append(last.lowerBound..<piece.upperBound)
            } else {
                result.append(piece)
            }
        }
        return result
    }
}
