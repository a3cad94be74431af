import Foundation
import Quality
import Text

/// Reads the class out of a free answer. The rule, in this order:
///
/// 1. An answer over 65,536 bytes has no class.
/// 2. With a JSON pointer the string there is read, and nothing else.
/// 3. The text after the last "answer:", if there is one, is read first; then the whole.
/// 4. A text is a class if both are equal, or equal but for case, runs of blanks, hyphens and
///    underscores, and punctuation around them.
/// 5. Else classes are looked for as whole words, longer ones first, and not within each other
///    ("no damage" is not "damage"). A class right after a word of negation ("not", "no",
///    "without", ...; articles between) does not count. If exactly one class is found it is that
///    one; several or none are no class.
///
/// Answers that hand a row to a person ("unsure") are read in the same way.
package struct ClassReader: Sendable {
    /// The classes, then the answers that abstain.
    package let labels: [String]
    /// How many of the labels are classes.
    package let classCount: Int

    /// More classes than this are no classes.
    package static let classesMax = 10_000
    /// Longer answers have no class.
    package static let bytesMax = 65_536

    private let pointer: String?
    private let exact: [String: Int]
    private let folded: [String: Int]
    private let byFirstWord: [String: [Phrase]]

    private struct Phrase: Sendable {
        let words: [String]
        let label: Int
    }

    /// - Parameters:
    ///   - classes: at least one
    ///   - abstentions: answers that hand the row to a person
    ///   - pointer: where JSON answers hold the class; nil for plain answers
    package init(
        classes: [String], abstentions: [String] = [], pointer: String? = nil
    ) throws(EvaluationError) {
        labels = classes + abstentions
        (classCount, self.pointer) = (classes.count, pointer)
        guard !classes.isEmpty, labels.count <= Self.classesMax else {
            throw .classCount(seen: labels.count, max: Self.classesMax)
        }
        if let pointer, !pointer.isEmpty, !pointer.hasPrefix("/") {
            throw .pointerInvalid(seen: pointer)
        }
        var (exact, folded): ([String: Int], [String: Int]) = ([:], [:])
        var phrases: [[String]: Int?] = [:]
        for (label, name) in labels.enumerated() {
            let fold = AnswerLint.fold(name)
            guard exact.updateValue(label, forKey: Self.trimmed(name)) == nil,
                fold.isEmpty || folded.updateValue(label, forKey: fold) == nil
            else { throw .classTwice(name: name) }
            let words = Self.words(name)
            // "C" and "C++" are the same words: such classes are only read by rule 4.
            phrases[words] = .some(phrases.keys.contains(words) ? nil : label)
        }
        (self.exact, self.folded) = (exact, folded)
        let found = phrases.compactMap { words, label in
            words.isEmpty ? nil : label.map { Phrase(words: words, label: $0) }
        }
        byFirstWord = Dictionary(grouping: found) { $0.words[0] }
            .mapValues { $0.sorted { $0.words.count > $1.words.count } }
    }

    /// The number that stands for an answer outside of all labels.
    package var outside: Int { labels.count }

    /// Whether a label abstains.
    package func isAbstention(_ label: Int) -> Bool { label >= classCount && label < outside }

    /// The label of an answer, or `outside`.
    package func label(of answer: String) -> Int {
        guard answer.utf8.count <= Self.bytesMax else { return outside }
        if let pointer {
            guard let text = AnswerJSON(answer)?.document.root.value(at: pointer)?.string else {
                return outside
            }
            return equal(text) ?? mentioned(text) ?? outside
        }
        if let label = equal(answer) { return label }
        if let marked = Self.afterMark(answer),
            let label = equal(marked) ?? mentioned(marked)
        {
            return label
        }
        return mentioned(answer) ?? outside
    }

    private func equal(_ text: String) -> Int? {
        exact[Self.trimmed(text)] ?? folded[AnswerLint.fold(text)]
    }

    private func mentioned(_ text: String) -> Int? {
        let words = Self.words(text)
        var found: Int?
        var index = 0
        while index < words.count {
            let phrase = byFirstWord[words[index]]?.first {
                words[index...].starts(with: $0.words)
            }
            guard let phrase else {
                index += 1
                continue
            }
            if !Self.isNegated(words[..<index]) {
                if let found, found != phrase.label { return nil }
                found = phrase.label
            }
            index += phrase.words.count
        }
        return found
    }

    private static let negations: Set = [
        "not", "no", "without", "never", "neither", "nor", "isn", "wasn", "aren", "weren", "doesn",
        "don", "didn", "cannot",
    ]
    /// Words that may stand between a negation and what it denies; "t" is that of "isn't".
    private static let between: Set = ["a", "an", "any", "the", "t"]

    private static func isNegated(_ before: ArraySlice<String>) -> Bool {
        before.last { !between.contains($0) }.map(negations.contains) ?? false
    }

    private static func trimmed(_ text: String) -> String {
        text.trimmingCharacters(in: .whitespacesAndNewlines).precomposedStringWithCanonicalMapping
    }

    private static func words(_ text: String) -> [String] {
        text.precomposedStringWithCanonicalMapping.lowercased()
            .split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    /// The line after the last "answer:".
    private static func afterMark(_ text: String) -> String? {
        guard let mark = text.range(of: "answer:", options: [.backwards, .caseInsensitive])
        else { return nil }
        return text[mark.upperBound...].split(whereSeparator: \.isNewline)
            .first { $0.contains { !$0.isWhitespace } }.map(String.init)
    }
}
