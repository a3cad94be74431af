package import Quality

/// How JSON answers are compared.
package struct ExtractionRules: Sendable {
    /// Fields and their forms; others are compared exactly.
    package let fields: [FieldRule]
    /// Pointers of boxes, with "*" for indices, and the order of their four numbers.
    package let boxes: [String: AnswerBox.Order]
    /// Overlap from which a box counts as right.
    package let overlapMin: Double
    /// Pointers of lists whose elements are matched by what is in them instead of by their place,
    /// such as "/lines"; not within other lists.
    package let matchedLists: [String]
    package let schema: AnswerSchema?

    package init(
        fields: [FieldRule] = [], boxes: [String: AnswerBox.Order] = [:], overlapMin: Double = 0.5,
        matchedLists: [String] = [], schema: AnswerSchema? = nil
    ) {
        (self.fields, self.boxes) = (fields, boxes)
        (self.overlapMin, self.schema) = (overlapMin, schema)
        self.matchedLists = matchedLists
    }
}

/// How one field of one answer came out. List fields have several values in a row.
package struct FieldOutcome: Sendable, Hashable {
    /// Values in the truth.
    package internal(set) var expected = 0
    /// Of those, equal in the answer.
    package internal(set) var right = 0
    /// Of those, not in the answer.
    package internal(set) var missing = 0
    /// Values in the answer only.
    package internal(set) var invented = 0
    /// Overlaps of the expected boxes; 0 for missing ones.
    package internal(set) var overlaps: [Double] = []

    /// Whether all values are right and none is made up.
    package var isRight: Bool { right == expected && invented == 0 }
}

/// How one JSON answer came out. Values that are null, and empty lists and objects, are as good as
/// absent. Elements of lists are compared by their place, unless the rules say otherwise.
package struct ExtractedRow: Sendable {
    /// By field, with "*" for indices.
    package private(set) var fields: [String: FieldOutcome] = [:]
    /// Weighted share of right fields over both sides, 0 to 1.
    package private(set) var score = 1.0
    /// Pointers of what is wrong, sorted, at most `pointersMax`.
    package private(set) var wrongPointers: [String] = []
    /// Of those, what is made up.
    package private(set) var inventedPointers: [String] = []
    /// Whether the answer is JSON and nothing else.
    package let isBare: Bool
    /// Whether JSON was found in it.
    package let isReadable: Bool
    /// Nil without a schema. An answer that is not bare JSON is not valid.
    package let isSchemaValid: Bool?
    /// Rules of form that are broken.
    package let brokenRules: Set<AnswerRule>

    /// More wrong pointers of a row are not listed.
    package static let pointersMax = 100

    /// Whether every field is right.
    package var isExact: Bool { fields.values.allSatisfy(\.isRight) }

    /// Compares an answer with the truth.
    package init(expected: String, answer: String, rules: ExtractionRules) {
        let json = AnswerJSON(answer)
        isBare = json?.isBare ?? false
        isReadable = json != nil
        let problems = isBare ? rules.schema?.problems(in: answer) : nil
        isSchemaValid = rules.schema == nil ? nil : problems?.isEmpty ?? false
        brokenRules = isBare ? Set((problems ?? []).map(\.rule)) : [.notJSON]
        let truth = FlatAnswer(expected, rules: rules.fields)
        let given = FlatAnswer(json?.text ?? String(answer.prefix(4_096)), rules: rules.fields)
        let wanted = FieldValues(truth, rules)
        var found =
            truth.isStructured && !given.isStructured ? FieldValues() : FieldValues(given, rules)
        for list in rules.matchedLists { found.match(wanted, list: list) }
        compare(wanted, found)
    }

    private mutating func compare(_ truth: FieldValues, _ given: FieldValues) {
        var (equal, total) = (0.0, 0.0)
        var wrong: [String] = []
        var invented: [String] = []
        for (pointer, value) in truth.values {
            let other = given.values[pointer]
            let outcome = value.compare(other, overlapMin: truth.overlapMin)
            let weight = max(0, value.weight)
            total += weight
            if outcome.isRight { equal += weight } else { wrong.append(pointer) }
            fields[value.field, default: FieldOutcome()].add(outcome)
        }
        for (pointer, value) in given.values where truth.values[pointer] == nil {
            total += max(0, value.weight)
            wrong.append(pointer)
            invented.append(pointer)
            fields[value.field, default: FieldOutcome()].invented += 1
        }
        score = total > 0 ? equal / total : wrong.isEmpty ? 1 : 0
        wrongPointers = Array(wrong.sorted().prefix(Self.pointersMax))
        inventedPointers = Array(invented.sorted().prefix(Self.pointersMax))
    }
}

extension FieldOutcome {
    fileprivate mutating func add(_ other: FieldOutcome) {
        expected += other.expected
        right += other.right
        missing += other.missing
        overlaps += other.overlaps
    }
}
