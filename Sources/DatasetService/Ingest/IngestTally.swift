import Messages
import Resources

/// Counts what became of rows, and keeps as many reports as were asked for.
struct IngestTally: Sendable {
    private(set) var response = IngestExamplesResponse()
    private let reportsMax: Int
    private let reportsAccepted: Bool
    private let dataset: DatasetName
    private var refused: [RowReport] = []
    private var accepted: [RowReport] = []
    private var rejections: [String: UInt64] = [:]

    init(_ header: IngestHeader, dataset: DatasetName) {
        let asked = header.rowReportsMax.map { Int($0) } ?? Limits.reportsStandard
        reportsMax = min(asked, Limits.reportsMax)
        reportsAccepted = header.reportAccepted
        self.dataset = dataset
        response.validatedOnly = header.validateOnly
    }

    /// Counts a row.
    mutating func add(_ row: PreparedRow, _ outcome: RowOutcome) {
        response.rowCount += 1
        response.newImageCount += UInt64(outcome.newImages)
        response.knownImageCount += UInt64(outcome.knownImages)
        switch outcome.verdict {
        case .accepted: response.acceptedCount += 1
        case .duplicate: response.duplicateCount += 1
        default:
            response.rejectedCount += 1
            let reason = outcome.problems.first?.reason.plainName ?? ""
            rejections[reason, default: 0] += 1
        }
        guard outcome.verdict != .accepted || reportsAccepted else { return }
        keep(report(row, outcome))
    }

    /// Counts bytes of images.
    mutating func addImageBytes(_ count: Int) { response.imageBytes += UInt64(count) }

    /// The whole answer.
    var finished: IngestExamplesResponse {
        var finished = response
        finished.rejections = rejections.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { NamedCount($0.key, $0.value) }
        let room = max(0, reportsMax - refused.count)
        finished.omittedReportCount += UInt64(accepted.count - min(room, accepted.count))
        finished.rows = (refused + accepted.prefix(room)).sorted { $0.rowIndex < $1.rowIndex }
        return finished
    }

    private func report(_ row: PreparedRow, _ outcome: RowOutcome) -> RowReport {
        var report = RowReport()
        report.rowIndex = row.index
        report.rowNumber = row.number
        report.rowID = row.rowID
        report.verdict = outcome.verdict
        report.problems = outcome.problems
        if outcome.verdict != .rejected, !response.validatedOnly {
            report.example = ExampleName(dataset: dataset.id, rowID: row.rowID).description
        }
        return report
    }

    private mutating func keep(_ report: RowReport) {
        if report.verdict != .accepted, refused.count < reportsMax {
            refused.append(report)
        } else if report.verdict == .accepted, accepted.count < reportsMax {
            accepted.append(report)
        } else {
            response.omittedReportCount += 1
        }
    }
}

extension NamedCount {
    /// So many items under a name.
    init(_ name: String, _ count: UInt64) {
        self.init()
        (self.name, itemCount) = (name, count)
    }
}
