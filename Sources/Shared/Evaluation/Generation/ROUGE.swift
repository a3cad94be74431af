/// Overlap of an answer with a reference.
package struct OverlapScore: Sendable, Hashable {
    /// Of the answer, the share found in the reference.
    package let precision: Double
    /// Of the reference, the share found in the answer.
    package let recall: Double

    /// Harmonic mean of both.
    package var f1: Double {
        precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
    }

    init(matches: Int, answer: Int, reference: Int) {
        precision = Double(matches) / Double(max(1, answer))
        recall = Double(matches) / Double(max(1, reference))
    }
}

/// ROUGE (Lin 2004) of one row, as the package rouge-score computes it: words of a-z and 0-9.
package struct ROUGE: Sendable, Hashable {
    /// Single words.
    package let one: OverlapScore
    /// Pairs of words.
    package let two: OverlapScore
    /// The longest common subsequence.
    package let longest: OverlapScore

    /// - Parameter stems: whether words of more than three letters are compared by their stems
    package init(_ answer: String, reference: String, stems: Bool = false) {
        var numbers = WordNumbers()
        let own = numbers(Self.words(answer, stems: stems))
        let other = numbers(Self.words(reference, stems: stems))
        func runs(_ length: Int) -> OverlapScore {
            let (first, second) = (
                RunCounts(own, length: length), RunCounts(other, length: length)
            )
            return OverlapScore(
                matches: first.matches(second), answer: first.total, reference: second.total)
        }
        (one, two) = (runs(1), runs(2))
        longest = OverlapScore(
            matches: LongestCommon.length(own, other), answer: own.count, reference: other.count)
    }

    /// The best of each kind over several references, at least one.
    package init(_ answer: String, references: [String], stems: Bool = false) {
        let all = references.map { ROUGE(answer, reference: $0, stems: stems) }
        let none = OverlapScore(matches: 0, answer: 0, reference: 0)
        func best(_ kind: KeyPath<ROUGE, OverlapScore>) -> OverlapScore {
            all.map { $0[keyPath: kind] }.reduce(nil as OverlapScore?) { best, next in
                guard let best, best.f1 >= next.f1 else { return next }
                return best
            } ?? none
        }
        (one, two, longest) = (best(\.one), best(\.two), best(\.longest))
    }

    private static func words(_ text: String, stems: Bool) -> [[Unicode.Scalar]] {
        TextUnits.lowercased(TextUnits.scalars(text))
            .split { !(0x61...0x7a).contains($0.value) && !(0x30...0x39).contains($0.value) }
            .map { word in
                guard stems, word.count > 3 else { return Array(word) }
                var text = String.UnicodeScalarView()
                text.append(contentsOf: word)
                return Array(PorterStemmer.stem(String(text)).unicodeScalars)
            }
    }
}

/// The longest common subsequence, 64 columns of its table at a time (Hyyrö 2004).
enum LongestCommon {
    static func length(_ first: [Int32], _ second: [Int32]) -> Int {
        let wordCount = (first.count + 63) / 64
        guard wordCount > 0 else { return 0 }
        let places = Dictionary(grouping: first.indices) { first[$0] }
        // A zero bit says that the length grows by one in this column.
        var flat = Array(repeating: UInt64.max, count: wordCount)
        // Frequent numbers, of which there are 64 at most, keep their bits; those of others are set
        // when they are needed, so that memory does not grow with the numbers there are.
        let kept = places.filter { $0.value.count > wordCount }.mapValues { columns in
            var bits = Array(repeating: UInt64(0), count: wordCount)
            for column in columns { bits[column / 64] |= 1 << UInt64(column % 64) }
            return bits
        }
        var matches = Array(repeating: UInt64(0), count: wordCount)
        for number in second {
            if let bits = kept[number] {
                step(&flat, bits)
            } else if let columns = places[number] {
                for column in columns { matches[column / 64] |= 1 << UInt64(column % 64) }
                step(&flat, matches)
                for column in columns { matches[column / 64] = 0 }
            }
        }
        let unused = wordCount * 64 - first.count
        return flat.reduce(0) { $0 + (~$1).nonzeroBitCount } - spill(flat, unused)
    }

    private static func step(_ flat: inout [UInt64], _ matches: [UInt64]) {
        var carry: UInt64 = 0
        for word in flat.indices {
            let (old, both) = (flat[word], flat[word] & matches[word])
            let (partial, first) = old.addingReportingOverflow(both)
            let (sum, second) = partial.addingReportingOverflow(carry)
            carry = first || second ? 1 : 0
            flat[word] = sum | (old & ~matches[word])
        }
    }

    /// Bits beyond the last column, which carries may have set to zero.
    private static func spill(_ flat: [UInt64], _ unused: Int) -> Int {
        guard unused > 0, let last = flat.last else { return 0 }
        return (~last & (UInt64.max << UInt64(64 - unused))).nonzeroBitCount
    }
}
