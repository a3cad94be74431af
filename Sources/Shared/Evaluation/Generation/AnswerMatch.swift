/// Whether a free answer says the same as a reference, as SQuAD scores it (Rajpurkar et al. 2016):
/// case, ASCII punctuation, blanks and the articles a, an and the do not count.
package struct AnswerMatch: Sendable, Hashable {
    /// Whether all words are the same in the same order.
    package let isExact: Bool
    /// F1 of the words regardless of order.
    package let tokenF1: Double

    /// Compares with one reference.
    package init(_ answer: String, reference: String) {
        var numbers = WordNumbers()
        let own = numbers(Self.words(answer))
        let other = numbers(Self.words(reference))
        isExact = own == other
        guard !own.isEmpty, !other.isEmpty else {
            tokenF1 = own.isEmpty && other.isEmpty ? 1 : 0
            return
        }
        let matches = RunCounts(own, length: 1).matches(RunCounts(other, length: 1))
        tokenF1 = OverlapScore(matches: matches, answer: own.count, reference: other.count).f1
    }

    /// The best over several references.
    package init(_ answer: String, references: [String]) {
        let all = references.map { AnswerMatch(answer, reference: $0) }
        isExact = all.contains(where: \.isExact)
        tokenF1 = all.map(\.tokenF1).max() ?? 0
    }

    private static func words(_ text: String) -> [[Unicode.Scalar]] {
        let plain = TextUnits.lowercased(TextUnits.scalars(text))
            .filter { !TextUnits.isPunctuation($0) }
        return TextUnits.words(withoutArticles(plain)).map { Array($0) }
    }

    /// Articles go where no letter, digit or underscore touches them.
    private static func withoutArticles(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let articles = ["a", "an", "the"].map { Array($0.unicodeScalars) }
        var result: [Unicode.Scalar] = []
        var rest = scalars[...]
        while let first = rest.first {
            let run = rest.prefix { isWordPart($0) == isWordPart(first) }
            if !articles.contains(where: { run.elementsEqual($0) }) {
                result += run
            } else {
                result.append(" ")
            }
            rest = rest.dropFirst(run.count)
        }
        return result
    }

    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x80 {
            let isDigit = (0x30...0x39).contains(scalar.value)
            return isDigit || (0x61...0x7a).contains(scalar.value | 0x20) || scalar == "_"
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber, .letterNumber, .otherNumber:
            return true
        default: return false
        }
    }
}
