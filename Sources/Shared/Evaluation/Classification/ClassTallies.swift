/// How often each class is true, answered, and both; all that scores of classes are made of.
struct ClassTallies {
    /// By label; the last place is for what is outside of all labels.
    private(set) var support, predicted, hits: [Int]
    private(set) var rows = 0

    init(labels: Int) {
        support = Array(repeating: 0, count: labels + 1)
        (predicted, hits) = (support, support)
    }

    mutating func add(actual: Int, predicted answer: Int) {
        rows += 1
        support[actual] += 1
        predicted[answer] += 1
        if actual == answer { hits[actual] += 1 }
    }

    func precision(_ label: Int) -> Double { Self.ratio(hits[label], predicted[label]) }
    func recall(_ label: Int) -> Double { Self.ratio(hits[label], support[label]) }
    func f1(_ label: Int) -> Double {
        Self.ratio(2 * hits[label], support[label] + predicted[label])
    }

    /// Unweighted means over labels.
    func macro(_ listed: [Int]) -> ClassAverages { weighted(listed) { _ in 1 } }

    /// Means over labels by their number of rows.
    func weighted(_ listed: [Int]) -> ClassAverages { weighted(listed) { Double(support[$0]) } }

    private func weighted(_ listed: [Int], by weight: (Int) -> Double) -> ClassAverages {
        let total = listed.reduce(0) { $0 + weight($1) }
        guard total > 0 else { return ClassAverages(precision: 0, recall: 0, f1: 0) }
        func mean(_ score: (Int) -> Double) -> Double {
            listed.reduce(0) { $0 + weight($1) * score($1) } / total
        }
        return ClassAverages(precision: mean(precision), recall: mean(recall), f1: mean(f1))
    }

    /// Scores of all decisions for and against the labels together.
    func micro(_ listed: [Int]) -> ClassAverages {
        func sum(_ counts: [Int]) -> Int { listed.reduce(0) { $0 + counts[$1] } }
        let (right, answered, wanted) = (sum(hits), sum(predicted), sum(support))
        return ClassAverages(
            precision: Self.ratio(right, answered), recall: Self.ratio(right, wanted),
            f1: Self.ratio(2 * right, answered + wanted))
    }

    var accuracy: Double { Self.ratio(hits.dropLast().reduce(0, +), rows) }

    /// Mean recall over the labels that occur.
    var balancedAccuracy: Double {
        let seen = support.indices.filter { support[$0] > 0 }
        return seen.isEmpty ? 0 : seen.reduce(0) { $0 + recall($1) } / Double(seen.count)
    }

    /// Matthews' correlation coefficient for several classes (Gorodkin 2004).
    var correlation: Double {
        let s = Double(rows)
        let c = Double(hits.reduce(0, +))
        let (p, t) = (predicted.map(Double.init), support.map(Double.init))
        let both = zip(p, t).reduce(0) { $0 + $1.0 * $1.1 }
        let spread =
            (s * s - p.reduce(0) { $0 + $1 * $1 }) * (s * s - t.reduce(0) { $0 + $1 * $1 })
        return spread > 0 ? (c * s - both) / spread.squareRoot() : 0
    }

    private static func ratio(_ part: Int, _ whole: Int) -> Double {
        whole > 0 ? Double(part) / Double(whole) : 0
    }
}

/// Means over classes.
package struct ClassAverages: Sendable, Hashable {
    package let precision, recall, f1: Double
}
