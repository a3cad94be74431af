import Quality

/// The values of an answer by pointer, boxes put together.
struct FieldValues {
    struct Value {
        let field: String
        let weight: Double
        let plain: AnswerField?
        var box: (numbers: [Int: Double], order: AnswerBox.Order)?

        /// Against the same value of an answer, nil if it has none.
        func compare(_ other: Value?, overlapMin: Double) -> FieldOutcome {
            var outcome = FieldOutcome()
            outcome.expected = 1
            outcome.missing = other == nil ? 1 : 0
            if box != nil {
                let overlap = area.flatMap { own in other?.area.map(own.overlap) } ?? 0
                outcome.overlaps = [overlap]
                outcome.right = overlap >= overlapMin && overlap > 0 ? 1 : 0
            } else if let plain, let given = other?.plain {
                let isEqual = plain.value.matches(given.value, tolerance: plain.rule.tolerance)
                outcome.right = isEqual ? 1 : 0
            }
            return outcome
        }

        private var area: AnswerBox? {
            guard let box, Set(box.numbers.keys) == [0, 1, 2, 3] else { return nil }
            return AnswerBox((0..<4).compactMap { box.numbers[$0] }, order: box.order)
        }
    }

    var values: [String: Value] = [:]
    var overlapMin = 0.5

    init() {}

    init(_ answer: FlatAnswer, _ rules: ExtractionRules) {
        overlapMin = rules.overlapMin
        for (pointer, field) in answer.fields where !Self.isAbsent(field, answer) {
            let parent = field.field.hasSuffix("/*") ? String(field.field.dropLast(2)) : nil
            guard let parent, let order = rules.boxes[parent] else {
                values[pointer] = Value(
                    field: field.field, weight: field.rule.weight, plain: field)
                continue
            }
            let cut = pointer.lastIndex(of: "/") ?? pointer.startIndex
            var value =
                values[String(pointer[..<cut])]
                ?? Value(
                    field: parent, weight: field.rule.weight, plain: nil, box: ([:], order))
            let index = Int(pointer[cut...].dropFirst())
            if let index { value.box?.numbers[index] = field.value.number }
            values[String(pointer[..<cut])] = value
        }
    }

    private static func isAbsent(_ field: AnswerField, _ answer: FlatAnswer) -> Bool {
        answer.isStructured && ["null", "[]", "{}"].contains(field.value.key)
    }
}

extension FieldValues {
    /// Longer lists are compared by place.
    static let elementsMax = 200

    /// Gives elements of a list the places of those of the truth that they are most like, the most
    /// alike first; what is like none comes after all of them.
    mutating func match(_ truth: FieldValues, list: String) {
        let (wanted, given) = (truth.elements(of: list), elements(of: list))
        guard !wanted.isEmpty, !given.isEmpty, wanted.count <= Self.elementsMax,
            given.count <= Self.elementsMax
        else { return }
        var places: [Int: Int] = [:]
        var taken: Set<Int> = []
        for pair in Self.pairs(wanted, given, overlapMin: overlapMin)
        where places[pair.given] == nil && !taken.contains(pair.wanted) {
            places[pair.given] = pair.wanted
            taken.insert(pair.wanted)
        }
        var next = (wanted.keys.max() ?? 0) + 1
        for (index, members) in given.sorted(by: { $0.key < $1.key }) {
            for name in members.keys { values["\(list)/\(index)\(name)"] = nil }
            if places[index] == nil {
                places[index] = next
                next += 1
            }
        }
        for (index, members) in given {
            for (name, value) in members {
                values["\(list)/\(places[index] ?? index)\(name)"] = value
            }
        }
    }

    private struct Pair {
        let wanted, given: Int
        let likeness: Double
    }

    /// Pairs that have a value in common, the most alike and nearest first.
    private static func pairs(
        _ wanted: [Int: [String: Value]], _ given: [Int: [String: Value]], overlapMin: Double
    ) -> [Pair] {
        wanted.flatMap { place, truth in
            given.compactMap { index, answer in
                let equal = truth.count {
                    $0.value.compare(answer[$0.key], overlapMin: overlapMin).isRight
                }
                let all = Set(truth.keys).union(answer.keys).count
                let likeness = Double(equal) / Double(max(1, all))
                return equal > 0 ? Pair(wanted: place, given: index, likeness: likeness) : nil
            }
        }.sorted { first, second in
            let distances = (abs(first.wanted - first.given), abs(second.wanted - second.given))
            return (-first.likeness, distances.0, first.wanted, first.given)
                < (-second.likeness, distances.1, second.wanted, second.given)
        }
    }

    /// The values of a list by index, then by what follows it in their pointers.
    private func elements(of list: String) -> [Int: [String: Value]] {
        var elements: [Int: [String: Value]] = [:]
        for (pointer, value) in values where pointer.hasPrefix(list + "/") {
            let rest = pointer.dropFirst(list.count + 1)
            let digits = rest.prefix { $0 != "/" }
            guard let index = Int(digits), (0..<FlatAnswer.fieldsMax).contains(index) else {
                continue
            }
            elements[index, default: [:]][String(rest.dropFirst(digits.count))] = value
        }
        return elements
    }
}
