import Base
import Messages
import Quality
import Resources
import Storage

/// Puts reports together on a thread of its own, since that takes seconds for a million rows.
actor Inspector {
    private let executor = ThreadExecutor(named: "inspect")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Everything that a report says, but for the names of rows.
    func draft(
        _ scan: InspectionScan, _ measures: [StoredMeasures?], _ votes: [RowVote],
        _ terms: InspectionTerms
    ) -> InspectionDraft {
        InspectionDraft(scan, measures, votes, terms)
    }

    /// The report as a page.
    func page(_ report: InspectDatasetResponse, _ thumbnails: [String: Bytes]) -> Bytes {
        InspectionPage(report, thumbnails).bytes
    }
}

/// A report before rows have names.
struct InspectionDraft: Sendable {
    let scan: InspectionScan
    /// nil where no pixels were asked about.
    let images: ImageReport?
    /// nil where nothing that needs them was asked for.
    let duplicates: DuplicateReport?
    let balance: BalanceReport?
    let labels: LabelReport?
    let terms: InspectionTerms

    fileprivate init(
        _ scan: InspectionScan, _ measures: [StoredMeasures?], _ votes: [RowVote],
        _ terms: InspectionTerms
    ) {
        (self.scan, self.terms) = (scan, terms)
        images = terms.wants(.imageQuality) ? ImageReport(scan, measures, terms) : nil
        let counts = [.balance, .quotas, .size].contains { terms.wants($0) }
        let found =
            counts || terms.wants(.duplicates)
            ? DuplicateReport(
                scan, distanceMax: terms.distanceMax, listMax: terms.findingsMax) : nil
        duplicates = found
        balance = counts ? found.map { BalanceReport(scan, $0.isRepeat) } : nil
        labels =
            terms.wants(.labelErrors)
            ? LabelReport(
                votes, answers: Self.answers(scan),
                declared: scan.dataset.stored.answerSchema?.classes.map(\.name) ?? []) : nil
    }

    private static func answers(_ scan: InspectionScan) -> [Int64: UInt64] {
        var answers: [Int64: UInt64] = [:]
        for row in 0..<scan.count where scan.rows.isDecided(row) {
            answers[scan.examples[row]] = scan.rows.answers[row]
        }
        return answers
    }

    /// Keys of all rows that the report names.
    var namedExamples: Set<Int64> {
        var rows = Set((images?.findings ?? []).map(\.row))
        if terms.wants(.duplicates) {
            for cluster in duplicates?.clusters ?? [] { rows.formUnion(cluster.rows) }
        }
        rows.formUnion(scan.answers.findings.map(\.row))
        let labelled = (labels?.findings ?? []).prefix(terms.findingsMax).map(\.example)
        return Set(rows.map { scan.examples[$0] }).union(labelled)
    }

    /// The report.
    ///
    /// - Parameter names: names of rows by their keys
    func message(_ names: [Int64: String]) -> InspectDatasetResponse {
        var report = InspectDatasetResponse()
        report.name = terms.version?.description ?? terms.dataset.description
        report.exampleCount = UInt64(scan.count)
        report.imageCount = UInt64(scan.images.slots.count)
        report.readTime = .init(nanoseconds: scan.readNanoseconds)
        func name(_ row: Int) -> String { names[scan.examples[row]] ?? "" }
        if let images { add(images, to: &report, name) }
        if terms.wants(.duplicates), let duplicates { add(duplicates, to: &report, name) }
        if let balance { add(balance, to: &report) }
        if terms.wants(.answerLint) { addAnswers(to: &report, name) }
        if let labels { add(labels, to: &report, names) }
        report.qualityScore = score
        return report
    }

    private func add(
        _ images: ImageReport, to report: inout InspectDatasetResponse, _ name: (Int) -> String
    ) {
        report.imageIssues = ImageOddity.allCases.compactMap { oddity in
            images.counts[oddity].map { NamedCount(oddity.rawValue, UInt64($0)) }
        }
        report.imageFindings = images.findings.map { finding in
            .with {
                $0.issue = ImageIssue(finding.found.oddity)
                ($0.example, $0.imageIndex) = (name(finding.row), UInt32(finding.index))
                ($0.score, $0.observed) = (finding.found.score, finding.found.observed)
                $0.threshold = finding.found.threshold
            }
        }
        report.imageStatistics = images.statistics
    }

    private func add(
        _ duplicates: DuplicateReport, to report: inout InspectDatasetResponse,
        _ name: (Int) -> String
    ) {
        if duplicates.exactSlots > 0 {
            report.imageIssues.append(
                NamedCount("exact_duplicate", UInt64(duplicates.exactSlots)))
        }
        if duplicates.nearSlots > 0 {
            report.imageIssues.append(NamedCount("near_duplicate", UInt64(duplicates.nearSlots)))
        }
        report.duplicates = duplicates.clusters.enumerated().map { number, cluster in
            .with {
                $0.clusterID = UInt64(number + 1)
                $0.examples = cluster.rows.map(name)
                $0.exampleCount = UInt64(cluster.rowCount)
                $0.distanceBits = UInt32(cluster.bits)
                $0.answersConflict = cluster.answersConflict
            }
        }
        report.duplicateClusterCount = UInt64(duplicates.clusterCount)
        report.distinctImageCount = UInt64(duplicates.distinctImages)
    }

    private func add(_ balance: BalanceReport, to report: inout InspectDatasetResponse) {
        if terms.wants(.balance) {
            (report.balance, report.imbalanceRatio) = (balance.rows, balance.imbalanceRatio)
        }
        if terms.wants(.quotas) { report.quotas = balance.quotas }
        if terms.wants(.size) { report.size = balance.size }
    }

    private func addAnswers(
        to report: inout InspectDatasetResponse, _ name: (Int) -> String
    ) {
        report.answerFindings = scan.answers.findings.map { finding in
            let problem = finding.problem
            let isEmpty = problem.rule == .empty
            return .with {
                $0.example = name(finding.row)
                $0.suggestion = problem.suggestion ?? ""
                $0.problem = .with {
                    $0.reason = isEmpty ? .answerEmpty : .answerInvalid
                    $0.field = "answer\(problem.pointer)"
                    ($0.seen, $0.message) = (problem.rule.rawValue, problem.message)
                }
            }
        }
        report.answerFindingCount = UInt64(scan.answers.findingCount)
    }

    private func add(
        _ labels: LabelReport, to report: inout InspectDatasetResponse, _ names: [Int64: String]
    ) {
        report.labelFindings = labels.findings.prefix(terms.findingsMax).map { finding in
            .with {
                $0.example = names[finding.example] ?? ""
                ($0.answer, $0.suggestedAnswer) = (finding.answer, finding.suggested)
                $0.quality = finding.quality
            }
        }
        report.labelFindingCount = UInt64(labels.findings.count)
        guard let noise = labels.noise, labels.rowCount > 0 else { return }
        let interval = Interval.wilson(
            share: max(0, min(1, noise)), count: Double(labels.rowCount), level: 0.95)
        report.labelNoise = .with {
            ($0.name, $0.value) = ("label_noise", noise)
            ($0.sampleCount, $0.higherIsBetter) = (UInt64(labels.rowCount), false)
            $0.interval = .with {
                ($0.lower, $0.upper) = (interval.lower, interval.upper)
                ($0.level, $0.method) = (interval.level, interval.method.rawValue)
            }
        }
    }

    /// The lowest of: images without oddity, images that are no repeats, evenness of classes,
    /// quotas met, rows whose answer breaks no rule, answers expected right, and rows there are of
    /// the fewest that the guide names.
    private var score: Double {
        var parts: [Double] = []
        let slots = Double(max(1, scan.images.slots.count))
        if let images { parts.append(1 - Double(images.oddSlots) / slots) }
        if terms.wants(.duplicates), let duplicates, !scan.images.slots.isEmpty {
            parts.append(Double(duplicates.distinctImages) / slots)
        }
        if let balance {
            if terms.wants(.balance) { parts.append(balance.evenness) }
            if terms.wants(.quotas), !balance.quotas.isEmpty {
                parts.append(
                    Double(balance.quotas.count(where: \.met)) / Double(balance.quotas.count))
            }
            let least = balance.size.advice.map(\.rowCountMin).min() ?? 0
            if terms.wants(.size), least > 0 {
                parts.append(min(1, Double(balance.size.distinctCount) / Double(least)))
            }
        }
        if terms.wants(.answerLint), scan.count > 0 {
            parts.append(1 - Double(scan.answers.faultyRows) / Double(scan.count))
        }
        if let noise = labels?.noise { parts.append(1 - noise) }
        return max(0, min(1, parts.min() ?? 1))
    }
}

extension ImageIssue {
    init(_ oddity: ImageOddity) {
        switch oddity {
        case .dark: self = .dark
        case .light: self = .light
        case .blurry: self = .blurry
        case .lowInformation: self = .lowInformation
        case .oddSize: self = .oddSize
        case .oddAspect: self = .oddAspect
        case .greyscale: self = .greyscale
        }
    }
}
