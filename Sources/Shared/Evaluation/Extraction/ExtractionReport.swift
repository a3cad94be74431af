package import Quality

/// How one field is read over all rows.
package struct FieldLine: Sendable, Hashable {
    /// With "*" for indices.
    package let pointer: String
    /// Of the rows that should have it, those with every value right and none made up.
    package let accuracy: Share
    /// Of the rows that should have it, those in which a value is missing.
    package let missing: Share
    /// Of all rows, those with a value that should not be there.
    package let invented: Share
    /// Mean overlap of boxes; nil for other fields.
    package let overlap: Estimate?
}

/// Scores of JSON answers.
package struct ExtractionReport: Sendable {
    /// Sorted by pointer.
    package let fields: [FieldLine]
    /// Rows with every field right.
    package let exactRows: Share
    /// Answers that are JSON and nothing else.
    package let valid: Share
    /// Answers that the schema allows; nil without a schema.
    package let schemaValid: Share?
    /// Answers by the rule of form they break.
    package let brokenRules: [AnswerRule: Int]
    /// All numbers with intervals, "field_accuracy" first: the mean over rows of the weighted
    /// share of right fields.
    package let estimates: [Estimate]

    /// Sums up rows.
    package init(_ rows: [ExtractedRow], bootstrap: Bootstrap) {
        let level = bootstrap.level
        func share(_ part: Int, _ whole: Int) -> Share { Share(part, of: whole, level: level) }
        let names = Set(rows.flatMap(\.fields.keys)).sorted()
        fields = names.map { Self.line($0, rows, bootstrap) }
        exactRows = share(rows.count(where: \.isExact), rows.count)
        valid = share(rows.count(where: \.isBare), rows.count)
        let judged = rows.compactMap(\.isSchemaValid)
        schemaValid = judged.isEmpty ? nil : share(judged.count { $0 }, judged.count)
        brokenRules = rows.reduce(into: [:]) { counts, row in
            for rule in row.brokenRules { counts[rule, default: 0] += 1 }
        }
        let scores = rows.map(\.score)
        let overall = rows.isEmpty ? nil : scores.reduce(0, +) / Double(rows.count)
        let accuracies = fields.compactMap(\.accuracy.value)
        let macro =
            accuracies.isEmpty ? nil : accuracies.reduce(0, +) / Double(accuracies.count)
        estimates =
            [
                overall.map {
                    Estimate(
                        "field_accuracy", $0,
                        interval: bootstrap.child("fields").interval(ofMean: scores),
                        count: rows.count)
                },
                Estimate("exact_row", exactRows), Estimate("format.valid", valid),
                schemaValid.flatMap { Estimate("format.schema_valid", $0) },
                macro.map { Estimate("field_accuracy.macro", $0, count: rows.count) },
            ].compactMap { $0 }
            + fields.compactMap { Estimate("field.\($0.pointer).accuracy", $0.accuracy) }
    }

    private static func line(
        _ name: String, _ rows: [ExtractedRow], _ bootstrap: Bootstrap
    ) -> FieldLine {
        let outcomes = rows.compactMap { $0.fields[name] }
        let having = outcomes.filter { $0.expected > 0 }
        let overlaps = outcomes.flatMap(\.overlaps)
        let level = bootstrap.level
        return FieldLine(
            pointer: name,
            accuracy: Share(having.count(where: \.isRight), of: having.count, level: level),
            missing: Share(having.count { $0.missing > 0 }, of: having.count, level: level),
            invented: Share(outcomes.count { $0.invented > 0 }, of: rows.count, level: level),
            overlap: overlaps.isEmpty
                ? nil
                : Estimate(
                    "field.\(name).box_overlap",
                    overlaps.reduce(0, +) / Double(overlaps.count),
                    interval: bootstrap.child(name).interval(ofMean: overlaps),
                    count: overlaps.count))
    }
}
