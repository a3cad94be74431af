package import Quality

/// How one class is recognised.
package struct ClassLine: Sendable, Hashable {
    package let name: String
    package let isAbstention: Bool
    /// Of the rows answered so, those that belong to it.
    package let precision: Share
    /// Of the rows that belong to it, those answered so. `trials` is the support.
    package let recall: Share
    /// Harmonic mean of both; 0 where the class neither occurs nor is answered.
    package let f1: Double
    /// By bootstrap; nil where there are too many classes for it.
    package let f1Interval: Interval?
}

/// How often a class was taken for another.
package struct ClassConfusion: Sendable, Hashable {
    /// Nil: outside of all classes.
    package let actual: String?
    /// Nil: an answer outside of all classes.
    package let predicted: String?
    package let count: Int
}

/// Scores of answers that name one of several classes.
package struct ClassificationReport: Sendable {
    /// Every class and abstention, in the order of the reader.
    package let classes: [ClassLine]
    /// All pairs that occurred, most frequent first.
    package let confusions: [ClassConfusion]
    /// Means over the classes that occur or are answered; an abstention counts only where it is
    /// the right answer to some row, and answers outside of all classes are errors, not a class.
    package let macro, micro, weighted: ClassAverages
    /// Right answers of all rows.
    package let accuracy: Share
    /// Right answers of the rows that were not handed to a person.
    package let answeredAccuracy: Share
    /// Rows that were not handed to a person.
    package let coverage: Share
    /// Answers outside of all classes.
    package let outside: Share
    package let balancedAccuracy: Double
    /// Matthews' correlation coefficient, -1 to 1.
    package let correlation: Double
    /// All numbers with intervals, "accuracy" first.
    package let estimates: [Estimate]

    /// Scores labels as a reader gives them; other numbers count as outside.
    package init(
        reader: ClassReader, actual: [Int], predicted: [Int], bootstrap: Bootstrap
    ) throws(EvaluationError) {
        guard actual.count == predicted.count else {
            throw .lengthsDiffer(
                what: "answers", seen: predicted.count, expected: actual.count)
        }
        let rows = LabelPairs(actual: actual, predicted: predicted, labels: reader.labels.count)
        let tallies = rows.tallies(Array(actual.indices)[...])
        let listed = tallies.listed(reader)
        let level = bootstrap.level
        func share(_ part: Int, _ whole: Int) -> Share { Share(part, of: whole, level: level) }
        (macro, micro) = (tallies.macro(listed), tallies.micro(listed))
        weighted = tallies.weighted(listed)
        (balancedAccuracy, correlation) = (tallies.balancedAccuracy, tallies.correlation)
        let right = tallies.hits.dropLast().reduce(0, +)
        accuracy = share(right, rows.count)
        let handedOver = (reader.classCount..<reader.outside).reduce(into: (all: 0, right: 0)) {
            $0.all += tallies.predicted[$1]
            $0.right += tallies.hits[$1]
        }
        answeredAccuracy = share(right - handedOver.right, rows.count - handedOver.all)
        coverage = share(rows.count - handedOver.all, rows.count)
        outside = share(tallies.predicted[reader.outside], rows.count)

        let spread = rows.intervals(listed, bootstrap: bootstrap)
        classes = reader.labels.enumerated().map { label, name in
            ClassLine(
                name: name, isAbstention: reader.isAbstention(label),
                precision: share(tallies.hits[label], tallies.predicted[label]),
                recall: share(tallies.hits[label], tallies.support[label]),
                f1: tallies.f1(label), f1Interval: spread.classes[label])
        }
        confusions = rows.confusions(reader.labels)
        let shares = [
            Estimate("accuracy", accuracy), Estimate("accuracy.answered", answeredAccuracy),
            Estimate("coverage", coverage),
            Estimate("format.outside", outside, higherIsBetter: false),
        ].compactMap { $0 }
        let others = zip(
            LabelPairs.statistics,
            zip(LabelPairs.values(tallies, listed), spread.overall)
        ).map { Estimate($0, $1.0, interval: $1.1, count: rows.count) }
        estimates = Array(shares.prefix(1)) + others + Array(shares.dropFirst())
    }
}

extension ClassTallies {
    /// The labels that means are taken over.
    func listed(_ reader: ClassReader) -> [Int] {
        reader.labels.indices.filter {
            support[$0] > 0 || (predicted[$0] > 0 && !reader.isAbstention($0))
        }
    }
}

/// What is true and what was answered, row by row.
struct LabelPairs {
    let actual, predicted: [Int]
    let labels: Int

    init(actual: [Int], predicted: [Int], labels: Int) {
        func known(_ label: Int) -> Int { (0..<labels).contains(label) ? label : labels }
        (self.actual, self.predicted) = (actual.map(known), predicted.map(known))
        self.labels = labels
    }

    var count: Int { actual.count }

    func tallies(_ rows: ArraySlice<Int>) -> ClassTallies {
        var tallies = ClassTallies(labels: labels)
        for row in rows { tallies.add(actual: actual[row], predicted: predicted[row]) }
        return tallies
    }

    static let statistics = ["f1.macro", "f1.micro", "f1.weighted", "balanced_accuracy", "mcc"]

    static func values(_ tallies: ClassTallies, _ listed: [Int]) -> [Double] {
        [
            tallies.macro(listed).f1, tallies.micro(listed).f1, tallies.weighted(listed).f1,
            tallies.balancedAccuracy, tallies.correlation,
        ]
    }

    /// Intervals of `statistics`, and of F1 by label.
    func intervals(
        _ listed: [Int], bootstrap: Bootstrap
    ) -> (overall: [Interval?], classes: [Interval?]) {
        let overall = Self.statistics.count
        let isFew = (overall + listed.count) * bootstrap.draws <= Bootstrap.numbersMax
        let named = isFew ? listed : []
        let found = bootstrap.child("classes").intervals(
            rows: count, count: overall + named.count
        ) { rows in
            let drawn = tallies(rows)
            return Self.values(drawn, listed) + named.map { drawn.f1($0) }
        }
        var classes: [Interval?] = Array(repeating: nil, count: labels)
        for (place, label) in named.enumerated() { classes[label] = found[overall + place] }
        return (Array(found.prefix(overall)), classes)
    }

    func confusions(_ names: [String]) -> [ClassConfusion] {
        func name(_ label: Int) -> String? { label < labels ? names[label] : nil }
        let counts = zip(actual, predicted).reduce(into: [[Int]: Int]()) {
            $0[[$1.0, $1.1], default: 0] += 1
        }
        return counts.sorted { ($1.value, $0.key[0], $0.key[1]) < ($0.value, $1.key[0], $1.key[1]) }
            .map {
                ClassConfusion(
                    actual: name($0.key[0]), predicted: name($0.key[1]), count: $0.value)
            }
    }
}
