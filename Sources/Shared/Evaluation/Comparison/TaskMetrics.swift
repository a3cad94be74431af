/// The metrics of each task as pairs over the same rows, named as their reports name them, the main
/// one first.
extension PairedMetric {
    /// Metrics of answers that name one of several classes.
    ///
    /// - Parameters:
    ///   - actual: labels as the reader gives them
    ///   - baseline: labels of one model's answers
    ///   - candidate: labels of the other's
    package static func classes(
        _ reader: ClassReader, actual: [Int], baseline: [Int], candidate: [Int]
    ) throws(EvaluationError) -> [PairedMetric] {
        for other in [baseline, candidate] where other.count != actual.count {
            throw .lengthsDiffer(what: "answers", seen: other.count, expected: actual.count)
        }
        func right(_ labels: [Int]) -> [Bool] {
            zip(actual, labels).map { $0 == $1 && $0 != reader.outside }
        }
        func labelled(_ isWanted: (Int) -> Bool) -> Rows {
            .right(baseline: baseline.map(isWanted), candidate: candidate.map(isWanted))
        }
        let own = [baseline, candidate].map { labels in
            LabelPairs(actual: actual, predicted: labels, labels: reader.labels.count)
        }
        let others = LabelPairs.statistics.indices.map { place in
            let values = own.map { rows in
                let listed = rows.tallies(Array(actual.indices)[...]).listed(reader)
                return { @Sendable (chosen: ArraySlice<Int>) -> Double? in
                    LabelPairs.values(rows.tallies(chosen), listed)[place]
                }
            }
            return PairedMetric(
                LabelPairs.statistics[place],
                .statistics(rows: actual.count, baseline: values[0], candidate: values[1]))
        }
        return [
            PairedMetric(
                "accuracy", .right(baseline: right(baseline), candidate: right(candidate)))
        ] + others + [
            PairedMetric("coverage", labelled { !reader.isAbstention($0) }),
            PairedMetric(
                "format.outside", labelled { $0 == reader.outside }, higherIsBetter: false),
        ]
    }

    /// Metrics of JSON answers.
    package static func fields(
        baseline: [ExtractedRow], candidate: [ExtractedRow]
    ) -> [PairedMetric] {
        func right(_ isRight: (ExtractedRow) -> Bool) -> Rows {
            .right(baseline: baseline.map(isRight), candidate: candidate.map(isRight))
        }
        var metrics = [
            PairedMetric(
                "field_accuracy",
                .means(baseline: baseline.map(\.score), candidate: candidate.map(\.score))),
            PairedMetric("exact_row", right(\.isExact)),
            PairedMetric("format.valid", right(\.isBare)),
        ]
        if baseline.contains(where: { $0.isSchemaValid != nil }) {
            metrics.append(
                PairedMetric("format.schema_valid", right { $0.isSchemaValid == true }))
        }
        let names = Set(baseline.flatMap(\.fields.keys)).sorted()
        for name in names {
            let rows = baseline.indices.filter { (baseline[$0].fields[name]?.expected ?? 0) > 0 }
            guard !rows.isEmpty, rows.allSatisfy(candidate.indices.contains) else { continue }
            func outcomes(_ all: [ExtractedRow]) -> [Bool] {
                rows.map { all[$0].fields[name]?.isRight ?? false }
            }
            metrics.append(
                PairedMetric(
                    "field.\(name).accuracy",
                    .right(baseline: outcomes(baseline), candidate: outcomes(candidate))))
        }
        return metrics
    }

    /// Metrics of free answers.
    package static func texts(
        baseline: [GeneratedRow], candidate: [GeneratedRow]
    ) -> [PairedMetric] {
        let scores = [TextScores(baseline), TextScores(candidate)]
        let others = TextScores.metrics.enumerated().filter { $0.element != "exact_match" }
            .map { place, name in
                let values = scores.map { scores in
                    { @Sendable (chosen: ArraySlice<Int>) -> Double? in
                        scores.values(chosen)[place]
                    }
                }
                return PairedMetric(
                    name,
                    .statistics(rows: baseline.count, baseline: values[0], candidate: values[1]))
            }
        return [
            PairedMetric(
                "exact_match",
                .right(
                    baseline: baseline.map(\.match.isExact),
                    candidate: candidate.map(\.match.isExact)))
        ] + others
    }
}
