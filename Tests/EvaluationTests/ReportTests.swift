import Base
import Evaluation
import Foundation
import Quality
import Testing

@Suite struct ReportTests {
    private static let hostile =
        "</pre><script>alert('x')</script>\"&\u{0}\u{202e}<img src=x onerror=1>"

    private func fullPage() throws -> ReportPage {
        let bootstrap = try Bootstrap(key: RandomKey(seed: 1), draws: 100)
        let hostile = Self.hostile
        var page = ReportPage(title: hostile)
        page.facts = [(hostile, hostile)]
        page.measures = [Estimate(hostile, .nan, count: 3), Estimate("accuracy", 0.5, count: 3)]
        page.warnings = [hostile]
        page.trainLoss = (0..<3_000).map {
            OverfittingWatch.Point(step: $0, loss: $0 == 7 ? .infinity : 1 / Double($0 + 1))
        }
        page.validationLoss = [OverfittingWatch.Point(step: 10, loss: 0.4)]
        page.classification = try ClassificationReport(
            reader: ClassReader(classes: [hostile, "b"]), actual: [0, 1, 0], predicted: [0, 2, 1],
            bootstrap: bootstrap)
        let row = ExtractedRow(
            expected: #"{"<b>": 1}"#, answer: "{}", rules: ExtractionRules())
        page.fields = ExtractionReport([row], bootstrap: bootstrap).fields
        page.confidence = [
            (hostile, try ConfidenceReport(confidences: [0.2, 0.9], isRight: [false, true]))
        ]
        page.slices = try SliceReport(
            scores: [0, 1], slices: [hostile: [[hostile], []]], bootstrap: bootstrap
        ).lines
        page.prompts = [
            ReportPage.Prompt(
                name: hostile, shots: 3, isConstrained: true, measures: page.measures)
        ]
        page.failures =
            FailureAnalysis(
                [FailedRow(example: hostile, score: 0)], context: context()
            ).groups
        page.rows = [
            ReportPage.Row(
                example: hostile, expected: hostile,
                answer: String(repeating: hostile, count: 50_000), score: 0, confidence: 0.9,
                picture: [0xff, 0xd8, 0xff, 0xe0]),
            ReportPage.Row(
                example: "svg", expected: "", answer: "", score: 0, picture: Array("<svg>".utf8)),
        ]
        return page
    }

    private func context() -> FailureContext {
        var context = FailureContext(rowCount: 1, target: 1)
        context.trainScore = 0
        return context
    }

    @Test func nothingFromOutsideBecomesMarkup() throws {
        let html = try fullPage().html
        #expect(!html.contains("<script"))
        #expect(!html.contains("<img src=x"))
        #expect(!html.contains("<b>\""))
        #expect(!html.contains("\u{0}") && !html.contains("\u{202e}"))
        #expect(html.contains("&lt;script&gt;"))
        #expect(html.contains("default-src 'none'"))
    }

    @Test func thePageNeedsNothingElse() throws {
        let html = try fullPage().html
        for link in ["http://", "https://", "url(", "@import", "<link", "<iframe"] {
            #expect(!html.contains(link), "\(link)")
        }
        #expect(html.contains("src=\"data:image/jpeg;base64,/9j/4A==\""))
        #expect(html.components(separatedBy: "<img").count == 2)
        #expect(html.utf8.count < 400_000)
    }

    @Test func allPartsAreWellFormed() throws {
        // Every element is closed in order, but for those that have no end in HTML.
        let html = try fullPage().html
        var open: [Substring] = []
        for tag in html.matches(of: /<(\/?)([a-z][a-z0-9]*)[^>]*>/) {
            let name = tag.2
            if ["meta", "img"].contains(name) { continue }
            if tag.1.isEmpty { open.append(name) } else { #expect(open.popLast() == name) }
        }
        #expect(open.isEmpty)
        for title in ["Scores", "Prompts", "Loss", "Classes", "Fields", "Slices", "Rows"] {
            #expect(html.contains("<h2>\(title)</h2>"), "\(title)")
        }
        #expect(!html.contains("nan") && !html.contains("inf,"))
    }

    @Test func emptyPartsAreLeftOut() {
        let html = ReportPage(title: "Nothing").html
        #expect(!html.contains("<h2>") && !html.contains("<table>") && !html.contains("<svg"))
    }

    @Test func chartsTakeConstantAndHugeNumbers() {
        var page = ReportPage(title: "Flat")
        page.validationLoss = [1e300, 2, 2, -1e149, .nan].enumerated().map {
            OverfittingWatch.Point(step: $0.offset, loss: $0.element)
        }
        #expect(!page.html.contains("nan"))
        page.validationLoss = [OverfittingWatch.Point(step: 3, loss: 0)]
        #expect(page.html.contains("<circle"))
    }
}
