import Text

/// How one field of a JSON answer is compared.
package struct FieldRule: Sendable, Hashable {
    /// JSON pointer (RFC 6901); "*" stands for any index or name, such as in "/lines/*/amount".
    package let pointer: String
    package let form: FieldForm
    /// Largest difference of numbers that still counts as equal.
    package let tolerance: Double
    /// Weight of the field in the score of an answer.
    package let weight: Double

    package init(
        pointer: String, form: FieldForm, tolerance: Double = 0, weight: Double = 1
    ) {
        (self.pointer, self.form) = (pointer, form)
        (self.tolerance, self.weight) = (tolerance, weight)
    }
}

/// A field of an answer in comparable form.
package struct AnswerField: Sendable, Hashable {
    /// The field with "*" for indices, by which it is reported.
    package let field: String
    package let value: ComparableValue
    package let rule: FieldRule
}

/// An answer as fields by JSON pointer. What is not JSON is one field, "".
package struct FlatAnswer: Sendable {
    /// By pointer, with indices.
    package let fields: [String: AnswerField]
    /// Whether the text was read as JSON with fields.
    package let isStructured: Bool

    /// More fields are not compared: the answer is then one text.
    package static let fieldsMax = 10_000

    /// Reads an answer.
    ///
    /// - Parameter rules: the first that fits a field counts; others are compared exactly
    package init(_ text: String, rules: [FieldRule] = []) {
        let parsed = try? JSONDocument(text.utf8)
        if let root = parsed?.root, root.isObject || root.isArray {
            var walk = Walk(rules: rules.map(SplitRule.init))
            walk.visit(root, [], [])
            if walk.fields.count <= Self.fieldsMax {
                (fields, isStructured) = (walk.fields, true)
                return
            }
        }
        let rule = rules.first { $0.pointer.isEmpty } ?? FieldRule(pointer: "", form: .exact)
        fields = ["": AnswerField(field: "", value: rule.form.value(of: text), rule: rule)]
        isStructured = false
    }

    /// The same for answers that are equal in all fields, tolerances aside.
    package var key: String {
        fields.sorted { $0.key < $1.key }.map { "\($0.key)\u{1D}\($0.value.value.key)" }
            .joined(separator: "\u{1C}")
    }

    private struct SplitRule {
        let rule: FieldRule
        let parts: [Substring]

        init(_ rule: FieldRule) {
            self.rule = rule
            parts = rule.pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                .map { $0 }
        }

        func fits(_ path: [String]) -> Bool {
            parts.count == path.count && zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
        }
    }

    private struct Walk {
        let rules: [SplitRule]
        var fields: [String: AnswerField] = [:]

        mutating func visit(_ node: JSONNode, _ path: [String], _ pattern: [String]) {
            guard fields.count <= FlatAnswer.fieldsMax else { return }
            let rule = rules.first { $0.fits(path) }?.rule
            let isWhole = rule?.form == .unorderedList || node.count == 0
            if node.isObject, !isWhole {
                for (key, value) in node.members {
                    let name = Self.escaped(key.string ?? "")
                    visit(value, path + [name], pattern + [name])
                }
            } else if node.isArray, !isWhole {
                for (index, value) in node.elements.enumerated() {
                    visit(value, path + ["\(index)"], pattern + ["*"])
                }
            } else {
                let field = Self.joined(pattern)
                let rule = rule ?? FieldRule(pointer: field, form: .exact)
                fields[Self.joined(path)] = AnswerField(
                    field: field, value: rule.form.value(of: node), rule: rule)
            }
        }

        private static func escaped(_ name: String) -> String {
            name.replacing("~", with: "~0").replacing("/", with: "~1")
        }

        private static func joined(_ parts: [String]) -> String {
            parts.reduce("") { $0 + "/" + $1 }
        }
    }
}

/// How two answers compare, field by field.
package struct AnswerComparison: Sendable {
    /// One field of either answer.
    package struct Field: Sendable, Hashable {
        /// With indices.
        package let pointer: String
        /// With "*" for indices.
        package let field: String
        package let isEqual: Bool
        /// False where only one of the answers has the field.
        package let isInBoth: Bool
    }

    /// All fields of both, sorted by pointer.
    package let fields: [Field]
    /// Weighted share of equal fields, 0 to 1; 1 if no field has a weight.
    package let score: Double

    /// Whether all fields are equal.
    package var isEqual: Bool { fields.allSatisfy(\.isEqual) }

    /// Compares answers that were flattened by the same rules.
    package init(_ first: FlatAnswer, _ second: FlatAnswer) {
        var (equal, total) = (0.0, 0.0)
        fields = Set(first.fields.keys).union(second.fields.keys).sorted().compactMap { pointer in
            let (left, right) = (first.fields[pointer], second.fields[pointer])
            guard let known = left ?? right else { return nil }
            var isEqual = false
            if let left, let right {
                isEqual = left.value.matches(right.value, tolerance: left.rule.tolerance)
            }
            total += max(0, known.rule.weight)
            equal += isEqual ? max(0, known.rule.weight) : 0
            return Field(
                pointer: pointer, field: known.field, isEqual: isEqual,
                isInBoth: left != nil && right != nil)
        }
        score = total > 0 ? equal / total : 1
    }
}

extension VoteTable {
    /// A table for each field of JSON answers, by field name: a row is a row of the dataset for a
    /// plain field, and an element for a field of a list.
    ///
    /// A field that an answer lacks counts as an answer of its own, "(missing)", so that leaving
    /// out is seen as disagreement.
    package static func byField(_ votes: [RowVote], rules: [FieldRule]) -> [String: VoteTable] {
        var tables: [String: [RowVote]] = [:]
        var next = 0
        let byRow = Dictionary(grouping: votes, by: \.row)
        for row in byRow.keys.sorted() {
            let answers = (byRow[row] ?? []).map { ($0, FlatAnswer($0.answer, rules: rules)) }
            let fields = answers.reduce(into: [String: String]()) { fields, answer in
                for (pointer, field) in answer.1.fields { fields[pointer] = field.field }
            }
            for (pointer, field) in fields.sorted(by: <) {
                // Values within the tolerance of one that was seen before count as that one.
                var seen: [ComparableValue] = []
                for (vote, answer) in answers {
                    var key = "(missing)"
                    if let own = answer.fields[pointer] {
                        let same = seen.first {
                            $0.matches(own.value, tolerance: own.rule.tolerance)
                        }
                        if same == nil { seen.append(own.value) }
                        key = (same ?? own.value).key
                    }
                    tables[field, default: []].append(
                        RowVote(row: next, annotator: vote.annotator, answer: key))
                }
                next += 1
            }
        }
        return tables.mapValues { VoteTable($0) }
    }
}
