import Foundation

/// Rules that answers can be held against one by one.
package struct AnswerLint: Sendable {
    /// Classes there are, compared exactly; empty for other tasks.
    package let classes: [String]
    /// Terms not to be used, with those to use instead.
    package let avoided: [String: String]
    package let schema: AnswerSchema?
    /// Longest answer, in UTF-8 bytes.
    package let bytesMax: Int

    private let known: Set<String>
    private let folded: [String: String]

    package init(
        classes: [String] = [], avoided: [String: String] = [:], schema: AnswerSchema? = nil,
        bytesMax: Int = 32_768
    ) {
        (self.classes, self.avoided, self.schema) = (classes, avoided, schema)
        self.bytesMax = bytesMax
        known = Set(classes)
        folded = Dictionary(
            classes.map { (Self.fold($0), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// What is wrong with an answer; empty if nothing.
    package func problems(in answer: String) -> [AnswerProblem] {
        guard answer.utf8.count <= bytesMax else {
            return [
                AnswerProblem(
                    .tooLong, "", "\(answer.utf8.count) bytes; at most \(bytesMax) are allowed")
            ]
        }
        guard answer.contains(where: { !$0.isWhitespace }) else {
            return [AnswerProblem(.empty, "", "the answer is empty; an answer is needed")]
        }
        return form(of: answer) + vocabulary(of: answer) + (schema?.problems(in: answer) ?? [])
    }

    private func form(of answer: String) -> [AnswerProblem] {
        var found: [AnswerProblem] = []
        let trimmed = answer.trimmingCharacters(in: .whitespacesAndNewlines)
        if trimmed.utf8.count < answer.utf8.count {
            let count = answer.utf8.count - trimmed.utf8.count
            found.append(
                AnswerProblem(
                    .outerSpace, "", "\(count) bytes of white space around the answer",
                    suggestion: trimmed))
        }
        // Blanks between values of JSON are its layout.
        if schema == nil, trimmed.contains("  ") {
            let single = trimmed.split(separator: " ").joined(separator: " ")
            found.append(
                AnswerProblem(
                    .innerSpace, "", "two blanks or more in a row; one is enough",
                    suggestion: single))
        }
        let allowed: Set<Unicode.Scalar> = ["\n", "\t", "\r"]
        if let scalar = answer.unicodeScalars.first(where: {
            $0.properties.generalCategory == .control && !allowed.contains($0)
        }) {
            found.append(
                AnswerProblem(
                    .controlCharacter, "",
                    "control character U+\(String(scalar.value, radix: 16)); none are allowed"))
        }
        let composed = answer.precomposedStringWithCanonicalMapping
        if !composed.utf8.elementsEqual(answer.utf8) {
            found.append(
                AnswerProblem(
                    .notComposed, "", "letters are not in composed form (NFC)",
                    suggestion: composed))
        }
        return found
    }

    private func vocabulary(of answer: String) -> [AnswerProblem] {
        var found: [AnswerProblem] = []
        if !classes.isEmpty, !known.contains(answer) {
            if let meant = folded[Self.fold(answer)] {
                found.append(
                    AnswerProblem(
                        .caseVariant, "", "\"\(answer.prefix(80))\" is written \"\(meant)\"",
                        suggestion: meant))
            } else {
                let near = classes.first { EditDistance.isNear($0, answer) }
                found.append(
                    AnswerProblem(
                        .unknownClass, "",
                        "\"\(answer.prefix(80))\" is none of the \(classes.count) classes",
                        suggestion: near))
            }
        }
        let words = " \(Self.words(answer)) "
        for (term, instead) in avoided.sorted(by: <)
        where words.contains(" \(Self.words(term)) ") {
            found.append(
                AnswerProblem(
                    .avoidedTerm, "", "\"\(term)\" is not to be used; \"\(instead)\" is",
                    suggestion: instead))
        }
        return found
    }

    /// Case, white space and punctuation at the ends do not count.
    package static func fold(_ text: String) -> String {
        text.precomposedStringWithCanonicalMapping.lowercased()
            .split { $0.isWhitespace || $0 == "_" || $0 == "-" }.joined(separator: " ")
            .trimmingCharacters(in: .punctuationCharacters)
    }

    private static func words(_ text: String) -> String {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: " ")
    }
}

/// What only shows when all answers are seen together.
package enum AnswerVariants {
    /// Answers that are probably the same one written in two ways.
    package struct Pair: Sendable, Hashable {
        /// The rarer spelling.
        package let variant: String
        /// The more frequent one.
        package let usual: String
        /// `caseVariant` or `nearVariant`.
        package let rule: AnswerRule
    }

    /// Different answers beyond which they are not labels any more.
    package static let answersMax = 2_000

    /// Spelling variants among the distinct answers of a dataset, sorted; empty for more than
    /// `answersMax`, since those are free text.
    ///
    /// - Parameter counts: rows of each answer
    package static func pairs(_ counts: [String: Int]) -> [Pair] {
        guard counts.count <= answersMax else { return [] }
        let usualFirst = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        var found: [Pair] = []
        var kept: [(text: String, folded: String)] = []
        for text in usualFirst {
            let folded = AnswerLint.fold(text)
            if let same = kept.first(where: { $0.folded == folded }) {
                found.append(Pair(variant: text, usual: same.text, rule: .caseVariant))
            } else if let near = kept.first(where: { EditDistance.isNear($0.folded, folded) }) {
                found.append(Pair(variant: text, usual: near.text, rule: .nearVariant))
            }
            kept.append((text, folded))
        }
        return found.sorted { ($0.usual, $0.variant) < ($1.usual, $1.variant) }
    }

    /// The lengths outside of which an answer stands out: three interquartile ranges of the
    /// logarithm beyond the quartiles (Tukey's outer fences), so that twice as long weighs as
    /// half as long. Nil with fewer than 20 answers.
    package static func usualLengths(_ lengths: [Int]) -> ClosedRange<Int>? {
        guard lengths.count >= 20 else { return nil }
        let sorted = lengths.sorted()
        let low = log(Double(sorted[sorted.count / 4] + 1))
        let high = log(Double(sorted[sorted.count * 3 / 4] + 1))
        // At least a factor of two, where all answers are of one length.
        let range = max(high - low, log(2) / 3)
        let bounds = (exp(low - 3 * range) - 1, exp(high + 3 * range) - 1)
        return max(0, Int(bounds.0.rounded(.up)))...max(0, Int(min(bounds.1, 1e15)))
    }
}

/// How many letters differ.
enum EditDistance {
    /// Whether labels differ by one letter added, dropped or changed, or by two neighbours
    /// swapped; digits do not count as slips, and labels below five letters are too short to tell.
    static func isNear(_ a: String, _ b: String) -> Bool {
        let (first, second) = (Array(a), Array(b))
        guard min(first.count, second.count) >= 5, max(first.count, second.count) <= 100,
            abs(first.count - second.count) <= 1, first != second
        else { return false }
        let head = zip(first, second).prefix { $0 == $1 }.count
        let tail = zip(first.reversed(), second.reversed()).prefix { $0 == $1 }.count
        let shorter = min(first.count, second.count)
        let (left, right) = (first[head...], second[head...])
        let cut = min(tail, shorter - head)
        let (middle, other) = (Array(left.dropLast(cut)), Array(right.dropLast(cut)))
        if (middle + other).contains(where: \.isNumber) { return false }
        if middle.count <= 1, other.count <= 1 { return true }
        return middle.count == 2 && other.count == 2 && middle[0] == other[1]
            && middle[1] == other[0]
    }
}
