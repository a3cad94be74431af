import Foundation
import Quality

/// Groups errors and proposes what to do about each group.
///
/// - Answers without the required form: strengthen the format.
/// - Answers outside of all classes, and fields that are made up: review annotations, since models
///   learn to make things up from rows that say more than their image shows.
/// - Errors of one class or field: collect rows of it.
/// - Slices that are worse beyond chance: augment, where they are of image quality; else collect.
/// - A score on train rows below the target: raise capacity.
/// - Two rounds without gain beyond chance: stop.
package struct FailureAnalysis: Sendable {
    /// Most frequent first.
    package let groups: [ErrorGroup]

    /// Rows named in a group, and groups, at most.
    package static let listedMax = 100
    /// Fewer errors alike are no group.
    package static let rowsMin = 2
    /// Slices of image quality, which degraded copies of images can mend.
    package static let qualitySlices: Set = ["width", "height", "size", "brightness", "sharpness"]

    /// - Parameter failed: rows that are not fully right; all errors
    package init(_ failed: [FailedRow], context: FailureContext) {
        let grouping = Grouping(failed: failed, context: context)
        let found =
            [grouping.malformed(), grouping.capacity(), grouping.spent()].compactMap { $0 }
            + grouping.outside() + grouping.named() + grouping.slices()
        groups = Array(
            found.enumerated().sorted {
                ($1.element.rowCount, $0.offset) < ($0.element.rowCount, $1.offset)
            }.map(\.element).prefix(Self.listedMax))
    }

    /// Rows to collect so that the share of errors falls from `errors` to `errorsWanted`, if it
    /// falls with the root of the number of rows: at least 20, at most ten times those there are.
    package static func wantedRows(
        present: Int, errors: Double, errorsWanted: Double
    ) -> Int {
        guard present > 0, errors > errorsWanted else { return 0 }
        let factor = pow(errors / max(errorsWanted, 0.01), 2) - 1
        // A hair less, so that 1 - 0.9 is a tenth.
        let wanted = (Double(present) * factor - 1e-6).rounded(.up)
        return Int(min(max(20, wanted), Double(present) * 10))
    }
}

private struct Grouping {
    let failed: [FailedRow]
    let context: FailureContext

    func malformed() -> ErrorGroup? {
        let rows = failed.filter { !$0.isWellFormed }
        guard rows.count >= FailureAnalysis.rowsMin else { return nil }
        return group(
            rows, "answers without the required form", .strengthenFormat,
            "state the form with an example in prompt and guidelines, lint the answers of the "
                + "train rows, or hold answers to the schema: \(rows.count) of \(failed.count) "
                + "errors break it")
    }

    func capacity() -> ErrorGroup? {
        guard let score = context.trainScore, score < context.target, !failed.isEmpty else {
            return nil
        }
        return group(
            failed, "the train rows themselves are not learned", .raiseCapacity,
            "raise the rank, tune more layers or train longer: the score on train rows is "
                + "\(percent(score)), below the target of \(percent(context.target))")
    }

    func spent() -> ErrorGroup? {
        let last = context.roundGains.suffix(2)
        guard last.count == 2, last.allSatisfy({ $0.lower <= 0 }), !failed.isEmpty else {
            return nil
        }
        let gains = last.map { percent($0.value) }.joined(separator: " and ")
        return group(
            failed, "what is left after \(context.roundGains.count) rounds", .stop,
            "stop: the last two rounds gained \(gains), which may be chance")
    }

    /// Made-up fields, and answers outside of all classes.
    func outside() -> [ErrorGroup] {
        var groups: [ErrorGroup] = []
        let nameless = failed.filter {
            $0.isWellFormed && $0.actualClass != nil && $0.answeredClass == nil
        }
        if nameless.count >= FailureAnalysis.rowsMin {
            let classes = Set(nameless.compactMap(\.actualClass)).sorted()
            groups.append(
                group(
                    nameless, "answers outside of all classes", .reviewAnnotations,
                    "look for train rows whose answers are no class, and list the classes in the "
                        + "prompt: \(nameless.count) answers name none",
                    trainExamples: classes.flatMap { context.trainExamples[$0] ?? [] }))
        }
        let fields = Self.grouped(failed) { $0.inventedFields }
        return groups
            + fields.map { field, rows in
                group(
                    rows, "field \(field) is made up", .reviewAnnotations,
                    "look at the train rows that fill \(field): does the image show it? "
                        + "\(rows.count) answers fill it where the truth does not",
                    trainExamples: context.trainExamples[field] ?? [])
            }
    }

    /// Errors by class, else by field.
    func named() -> [ErrorGroup] {
        let classes = Self.grouped(failed) { row in
            row.isWellFormed && row.answeredClass != nil ? row.actualClass.map { [$0] } ?? [] : []
        }
        let fields = Self.grouped(failed) { $0.isWellFormed ? $0.wrongFields : [] }
        return classes.map { name, rows in
            collect(rows, name, "class \(name)", Self.takenFor(rows))
        } + fields.map { name, rows in collect(rows, name, "field \(name)", "") }
    }

    private func collect(
        _ rows: [FailedRow], _ name: String, _ what: String, _ detail: String
    ) -> ErrorGroup {
        let seen = context.testRows[name] ?? 0
        let present = context.trainRows[name] ?? 0
        let wanted =
            seen > 0
            ? FailureAnalysis.wantedRows(
                present: present, errors: min(1, Double(rows.count) / Double(seen)),
                errorsWanted: 1 - context.target) : 0
        let rate = seen > 0 ? " (\(percent(Double(rows.count) / Double(seen))) of \(seen))" : ""
        let amount = wanted > 0 ? "\(wanted) rows" : "rows"
        return group(
            rows, "\(what) is wrong\(detail)", .collectRows,
            "collect \(amount) of \(what): \(rows.count) errors\(rate), \(present) train rows",
            wanted: wanted, trainExamples: context.trainExamples[name] ?? [])
    }

    func slices() -> [ErrorGroup] {
        let byName = Dictionary(failed.map { ($0.example, $0) }, uniquingKeysWith: { a, _ in a })
        return context.worseSlices.filter(\.isWorse).compactMap { slice in
            let rows = slice.rows.filter(context.rowNames.indices.contains)
                .compactMap { byName[context.rowNames[$0]] }
            guard rows.count >= FailureAnalysis.rowsMin else { return nil }
            let isQuality = FailureAnalysis.qualitySlices.contains(slice.slice)
            let name = "\(slice.slice) \(slice.bucket)"
            return group(
                rows, "\(name) is worse than the rest", isQuality ? .augment : .collectRows,
                (isQuality
                    ? "add copies degraded in \(slice.slice) or better images: "
                    : "collect rows of \(name): ")
                    + "the score there is \(percent(slice.score.value)) on \(slice.rows.count) "
                    + String(format: "rows, by chance with p = %.2g", slice.probability))
        }
    }

    private func group(
        _ rows: [FailedRow], _ description: String, _ action: ProposedAction,
        _ proposal: String, wanted: Int = 0, trainExamples: [String] = []
    ) -> ErrorGroup {
        let worst = rows.sorted {
            ($0.score, -($0.confidence ?? 0), $0.example)
                < ($1.score, -($1.confidence ?? 0), $1.example)
        }
        return ErrorGroup(
            description: description, rowCount: rows.count,
            share: Double(rows.count) / Double(max(1, failed.count)), action: action,
            proposal: proposal, wantedRows: wanted,
            examples: worst.prefix(FailureAnalysis.listedMax).map(\.example),
            trainExamples: Array(trainExamples.prefix(FailureAnalysis.listedMax)))
    }

    /// Rows by name, names with most rows first.
    private static func grouped(
        _ rows: [FailedRow], by names: (FailedRow) -> [String]
    ) -> [(String, [FailedRow])] {
        var groups: [String: [FailedRow]] = [:]
        for row in rows { for name in Set(names(row)) { groups[name, default: []].append(row) } }
        return groups.filter { $0.value.count >= FailureAnalysis.rowsMin }
            .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    }

    private static func takenFor(_ rows: [FailedRow]) -> String {
        let counts = rows.compactMap(\.answeredClass).reduce(into: [String: Int]()) {
            $0[$1, default: 0] += 1
        }
        let named = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3)
        return ", taken for " + named.map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
    }

    private func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
}
