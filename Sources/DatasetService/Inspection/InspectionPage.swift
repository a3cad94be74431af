import Base
import Foundation
import Messages

/// A report as one HTML page that needs nothing else: no script, no font, no picture from outside.
/// Everything that comes from rows is escaped, and the page's own policy forbids the rest.
struct InspectionPage {
    /// Lines of a table; what is more is counted.
    private static let linesMax = 1_000
    /// Pictures shown of a cluster.
    private static let clusterPictures = 8
    /// Bytes of pictures as text; later ones are left out.
    private static let picturesBytesMax = 24 << 20

    private let report: InspectDatasetResponse
    private let thumbnails: [String: Bytes]
    private var html = PageText()
    private var pictureBytes = 0

    init(_ report: InspectDatasetResponse, _ thumbnails: [String: Bytes]) {
        (self.report, self.thumbnails) = (report, thumbnails)
        html.begin(title: "Inspection of \(report.name)")
        addSummary()
        addImages()
        addDuplicates()
        addBalance()
        addAnswers()
        addLabels()
        html.end()
    }

    /// The page in UTF-8.
    var bytes: Bytes { Bytes(html.text) }

    /// Pictures that the page shows, as "NAME#INDEX", each once.
    static func pictures(_ report: InspectDatasetResponse) -> [String] {
        var seen = Set<String>()
        let odd = report.imageFindings.prefix(linesMax).map { "\($0.example)#\($0.imageIndex)" }
        let alike = report.duplicates.prefix(linesMax).flatMap { cluster in
            cluster.examples.prefix(clusterPictures).map { "\($0)#0" }
        }
        return (odd + alike).filter { seen.insert($0).inserted }
    }

    private mutating func addSummary() {
        html.heading("Inspection of \(report.name)", level: 1)
        html.table(
            ["", ""],
            [
                ["rows", "\(report.exampleCount)"], ["images", "\(report.imageCount)"],
                ["distinct images", "\(report.distinctImageCount)"],
                ["quality score", PageText.short(report.qualityScore)],
            ])
        if let size = report.size {
            html.heading("Size", level: 2)
            html.paragraph(size.explanation)
            if !size.missing.isEmpty {
                html.paragraph("To collect first:")
                html.bars(size.missing.prefix(50).map { ($0.name, Double($0.itemCount), 0) })
            }
        }
    }

    private mutating func addImages() {
        guard !report.imageStatistics.isEmpty || !report.imageIssues.isEmpty else { return }
        html.heading("Images", level: 2)
        html.bars(report.imageIssues.map { ($0.name, Double($0.itemCount), 0) })
        html.open("div", class: "charts")
        for statistics in report.imageStatistics { html.histogram(statistics) }
        html.close("div")
        let byIssue = Dictionary(grouping: report.imageFindings, by: \.issue.plainName)
        for (issue, findings) in byIssue.sorted(by: { $0.key < $1.key }) {
            html.heading("\(issue.lowercased()) (\(findings.count) listed)", level: 3)
            html.open("div", class: "pictures")
            for finding in findings.prefix(Self.linesMax) {
                let numbers =
                    "\(PageText.short(finding.observed)), limit"
                    + " \(PageText.short(finding.threshold))"
                addPicture(finding.example, Int(finding.imageIndex), numbers)
            }
            html.close("div")
        }
    }

    private mutating func addDuplicates() {
        guard report.duplicateClusterCount > 0 else { return }
        html.heading("Duplicates: \(report.duplicateClusterCount) clusters", level: 2)
        for cluster in report.duplicates.prefix(Self.linesMax) {
            let conflict = cluster.answersConflict ? ", answers differ" : ""
            html.heading(
                "\(cluster.exampleCount) rows, \(cluster.distanceBits) bits apart\(conflict)",
                level: 3)
            html.open("div", class: "pictures")
            for example in cluster.examples.prefix(Self.clusterPictures) {
                addPicture(example, 0, "")
            }
            html.close("div")
        }
        addRest(report.duplicates.count)
    }

    private mutating func addBalance() {
        if !report.balance.isEmpty {
            html.heading("Balance", level: 2)
            if report.imbalanceRatio > 0 {
                html.paragraph(
                    "The largest class has \(PageText.short(report.imbalanceRatio)) times the rows"
                        + " of the smallest. A line marks the rows wanted.")
            }
            html.bars(
                report.balance.prefix(200).map {
                    ($0.key, Double($0.exampleCount), Double($0.wantedCount))
                })
            addRest(report.balance.count, max: 200)
        }
        guard !report.quotas.isEmpty else { return }
        html.heading("Hard rows", level: 2)
        html.table(
            ["tag", "rows", "share", "wanted", ""],
            report.quotas.map { quota in
                let most = quota.shareBasisPointsMax == 0 ? 10_000 : quota.shareBasisPointsMax
                return [
                    quota.tag, "\(quota.exampleCount)", Self.percent(quota.shareBasisPoints),
                    "\(Self.percent(quota.shareBasisPointsMin)) to \(Self.percent(most))",
                    quota.met ? "met" : "missed",
                ]
            })
    }

    private mutating func addAnswers() {
        guard report.answerFindingCount > 0 else { return }
        html.heading("Answers: \(report.answerFindingCount) findings", level: 2)
        html.table(
            ["row", "rule", "what", "instead"],
            report.answerFindings.prefix(Self.linesMax).map { finding in
                let problem = finding.problem ?? Problem()
                return [finding.example, problem.seen, problem.message, finding.suggestion]
            })
        addRest(report.answerFindings.count)
    }

    private mutating func addLabels() {
        guard let noise = report.labelNoise else { return }
        html.heading("Suspected label errors: \(report.labelFindingCount)", level: 2)
        html.paragraph(
            "About \(PageText.short(noise.value * 100)) % of \(noise.sampleCount) answers with"
                + " votes are expected to be wrong.")
        html.table(
            ["row", "answer", "probably", "chance that it is right"],
            report.labelFindings.prefix(Self.linesMax).map { finding in
                [
                    finding.example, String(finding.answer.prefix(200)),
                    String(finding.suggestedAnswer.prefix(200)), PageText.short(finding.quality),
                ]
            })
        addRest(report.labelFindings.count)
    }

    private mutating func addRest(_ count: Int, max: Int = linesMax) {
        if count > max { html.paragraph("and \(count - max) more") }
    }

    private mutating func addPicture(_ example: String, _ index: Int, _ note: String) {
        let picture = thumbnails["\(example)#\(index)"].flatMap { bytes -> Bytes? in
            let size = bytes.count * 4 / 3
            guard pictureBytes + size <= Self.picturesBytesMax else { return nil }
            pictureBytes += size
            return bytes
        }
        let name = example.split(separator: "/").last.map(String.init) ?? example
        html.picture(picture, caption: name.removingPercentEncoding ?? name, note: note)
    }

    private static func percent(_ points: UInt32) -> String {
        "\(PageText.short(Double(points) / 100)) %"
    }
}

/// HTML piece by piece. Text is escaped here and nowhere else.
struct PageText {
    private(set) var text = ""

    private static let style = """
        body{font:14px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}
        table{border-collapse:collapse}td,th{padding:2px 12px 2px 0;text-align:left;
        vertical-align:top;overflow-wrap:anywhere}tr{border-bottom:1px solid #ddd}
        .pictures,.charts{display:flex;flex-wrap:wrap;gap:10px}
        figure{margin:0;width:130px;font-size:11px;overflow-wrap:anywhere}
        img{max-width:96px;max-height:96px;background:#eee}
        """

    mutating func begin(title: String) {
        text += "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        text += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"
        text += " img-src data:; style-src 'unsafe-inline'\">"
        text += "<title>\(Self.escaped(title))</title><style>\(Self.style)</style></head><body>\n"
    }

    mutating func end() { text += "</body></html>\n" }

    mutating func open(_ tag: String, class name: String) { text += "<\(tag) class=\"\(name)\">" }

    mutating func close(_ tag: String) { text += "</\(tag)>\n" }

    mutating func heading(_ words: String, level: Int) {
        text += "<h\(level)>\(Self.escaped(words))</h\(level)>\n"
    }

    mutating func paragraph(_ words: String) { text += "<p>\(Self.escaped(words))</p>\n" }

    mutating func table(_ header: [String], _ rows: [[String]]) {
        text += "<table><tr>"
        for cell in header { text += "<th>\(Self.escaped(cell))</th>" }
        text += "</tr>\n"
        for row in rows {
            text += "<tr>" + row.map { "<td>\(Self.escaped($0))</td>" }.joined() + "</tr>\n"
        }
        text += "</table>\n"
    }

    /// A picture with its name; a grey field where there is none.
    mutating func picture(_ jpeg: Bytes?, caption: String, note: String) {
        let source = jpeg.map { bytes in
            "data:image/jpeg;base64," + bytes.withUnsafeBytes { Data($0).base64EncodedString() }
        }
        text += "<figure>"
        if let source { text += "<img alt=\"\" src=\"\(source)\">" }
        text += "<figcaption>\(Self.escaped(caption))<br>\(Self.escaped(note))</figcaption>"
        text += "</figure>\n"
    }

    /// A horizontal bar for each value, and a line where another one is.
    mutating func bars(_ values: [(name: String, value: Double, mark: Double)]) {
        guard let most = values.map({ max($0.value, $0.mark) }).max(), most > 0 else { return }
        let (step, left, width) = (20, 260.0, 500.0)
        text += "<svg width=\"860\" height=\"\(values.count * step)\" role=\"img\">\n"
        for (line, item) in values.enumerated() {
            let y = line * step
            let length = Self.short(item.value / most * width)
            let name = item.name.count > 40 ? item.name.prefix(39) + "…" : item.name[...]
            text += "<text x=\"0\" y=\"\(y + 14)\" font-size=\"12\">"
            text += "\(Self.escaped(String(name)))</text>"
            text += "<rect x=\"\(left)\" y=\"\(y + 3)\" width=\"\(length)\" height=\"14\""
            text += " fill=\"#4a7fb5\"/>"
            if item.mark > 0 {
                let x = Self.short(left + item.mark / most * width)
                text += "<path d=\"M\(x) \(y)v\(step)\" stroke=\"#b33\"/>"
            }
            text += "<text x=\"\(left + width + 8)\" y=\"\(y + 14)\" font-size=\"12\">"
            text += "\(Self.short(item.value))</text>\n"
        }
        text += "</svg>\n"
    }

    /// A small chart of how values are spread.
    mutating func histogram(_ distribution: Distribution) {
        let counts = distribution.histogram?.binCounts ?? []
        guard let most = counts.max(), most > 0 else { return }
        text += "<figure style=\"width:200px\"><svg width=\"200\" height=\"80\" role=\"img\">"
        for (bin, count) in counts.enumerated() {
            let height = Self.short(Double(count) / Double(most) * 76)
            let y = Self.short(80 - Double(count) / Double(most) * 76)
            text += "<rect x=\"\(bin * 10)\" y=\"\(y)\" width=\"9\" height=\"\(height)\""
            text += " fill=\"#4a7fb5\"/>"
        }
        let ends = distribution.quantiles
        let range =
            ends.isEmpty ? "" : "\(Self.short(ends[0])) to \(Self.short(ends[ends.count - 1]))"
        let words = "\(distribution.name): \(range), mean \(Self.short(distribution.mean))"
        text += "</svg><figcaption>\(Self.escaped(words))</figcaption></figure>\n"
    }

    /// At most three decimals.
    static func short(_ value: Double) -> String {
        guard value.isFinite else { return value > 0 ? "∞" : "-" }
        guard abs(value) < 1e15 else { return "\(value)" }
        let rounded = (value * 1_000).rounded() / 1_000
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    /// Text that means nothing to a reader of HTML, in elements and in attributes.
    static func escaped(_ words: String) -> String {
        var result = ""
        for scalar in words.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case _ where scalar.value < 0x20 && scalar != "\n" || scalar.value == 0x7f:
                result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
