import Foundation
import Quality

extension ReportPage {
    /// One page of HTML that needs nothing else: no script, no font, no picture from elsewhere.
    /// What comes from models and datasets is escaped, and a policy in the page forbids loading
    /// anything.
    package var html: String {
        var page = HTMLText()
        page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
        page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ")
        page.raw("img-src data:; style-src 'unsafe-inline'\">")
        page.raw("<meta name=\"viewport\" content=\"width=device-width\">")
        page.element("title", text: title)
        page.raw(Self.style)
        page.raw("</head><body><main>")
        page.element("h1", text: title)
        if !facts.isEmpty { page.table([], facts.map { [$0.name, $0.value] }) }
        writeNumbers(&page)
        writeTraining(&page)
        writeClasses(&page)
        writeFields(&page)
        writeConfidence(&page)
        writeSteadiness(&page)
        writeFailures(&page)
        writeRows(&page)
        page.raw("</main></body></html>\n")
        return page.text
    }

    private static let style: StaticString = """
        <style>
        body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;background:#fff;margin:0}
        main{max-width:60rem;margin:0 auto;padding:1.5rem}
        h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
        table{border-collapse:collapse;margin:.5rem 0}
        th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;
        border-bottom:1px solid #d9dee3;font-variant-numeric:tabular-nums}
        svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#46505a}
        .warning{border-left:4px solid #b35c00;padding-left:.6rem}
        .rows{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}
        figure{margin:0;border:1px solid #d9dee3;padding:.6rem}
        figure img{max-width:100%;max-height:14rem;display:block}
        pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0;max-height:12rem;
        overflow:auto}
        </style>
        """

    private func writeNumbers(_ page: inout HTMLText) {
        for warning in warnings.prefix(Self.linesMax) {
            page.element("p", ["class": "warning"], text: warning)
        }
        if !measures.isEmpty {
            page.heading("Scores")
            page.table(
                ["metric", "value", "rows"],
                measures.prefix(Self.linesMax).map {
                    [$0.name, Written.estimate($0), "\($0.count)"]
                })
        }
        if !differences.isEmpty {
            page.heading("Against the baseline")
            page.table(
                ["metric", "baseline", "now", "change", "p", "test"],
                differences.prefix(Self.linesMax).map {
                    [
                        $0.change.name, Written.number($0.baseline.value),
                        Written.number($0.candidate.value), Written.estimate($0.change),
                        Written.number($0.probability), $0.test.rawValue,
                    ]
                })
        }
        if !prompts.isEmpty {
            page.heading("Prompts")
            page.table(
                ["prompt", "shots", "held to the schema"] + (prompts[0].measures.map(\.name)),
                prompts.prefix(Self.linesMax).map {
                    [$0.name, "\($0.shots)", $0.isConstrained ? "yes" : "no"]
                        + $0.measures.map(Written.estimate)
                })
        }
    }

    private func writeTraining(_ page: inout HTMLText) {
        guard !trainLoss.isEmpty || !validationLoss.isEmpty else { return }
        page.heading("Loss")
        func line(_ name: String, _ color: String, _ points: [OverfittingWatch.Point]) -> Chart.Line
        {
            Chart.Line(
                name: name, color: color, points: points.map { (Double($0.step), $0.loss) })
        }
        Chart.write(
            [line("train", "#3b6ea8", trainLoss), line("validation", "#b35c00", validationLoss)],
            axes: ("step", "loss"), to: &page)
    }

    private func writeClasses(_ page: inout HTMLText) {
        guard let classification else { return }
        page.heading("Classes")
        page.table(
            ["class", "precision", "recall", "F1", "rows"],
            classification.classes.prefix(Self.linesMax).map {
                [
                    $0.name + ($0.isAbstention ? " (abstains)" : ""), Self.share($0.precision),
                    Self.share($0.recall), Written.number($0.f1), "\($0.recall.trials)",
                ]
            })
        ConfusionGrid(classification).write(to: &page)
    }

    private func writeFields(_ page: inout HTMLText) {
        guard !fields.isEmpty else { return }
        page.heading("Fields")
        page.table(
            ["field", "right", "missing", "made up", "overlap of boxes", "rows"],
            fields.prefix(Self.linesMax).map {
                [
                    $0.pointer, Self.share($0.accuracy), Self.share($0.missing),
                    Self.share($0.invented), $0.overlap.map(Written.estimate) ?? "",
                    "\($0.accuracy.trials)",
                ]
            })
    }

    private func writeConfidence(_ page: inout HTMLText) {
        for (key, report) in confidence.prefix(20) {
            page.heading(key.isEmpty ? "Confidence" : "Confidence of \(key)")
            page.element(
                "p",
                text: "Expected calibration error \(Written.number(report.expectedError)), "
                    + "largest \(Written.number(report.largestError)), Brier score "
                    + "\(Written.number(report.brierScore)).")
            let filled = report.bins.filter { $0.count > 0 }
            Chart.write(
                [
                    Chart.Line(name: "ideal", color: "#9aa5b1", points: [(0, 0), (1, 1)]),
                    Chart.Line(
                        name: "accuracy", color: "#3b6ea8",
                        points: filled.map { ($0.meanConfidence, $0.accuracy) }),
                ], axes: ("confidence", "accuracy"), to: &page)
            Chart.write(
                [
                    Chart.Line(
                        name: "errors", color: "#b35c00",
                        points: report.abstention.map { ($0.coverage, $0.errors.value ?? 0) })
                ], axes: ("share of rows answered", "errors"), to: &page)
        }
    }

    private func writeSteadiness(_ page: inout HTMLText) {
        if !slices.isEmpty {
            page.heading("Slices")
            page.table(
                ["slice", "range", "score", "rows", ""],
                slices.prefix(Self.linesMax).map {
                    [
                        $0.slice, $0.bucket, Written.estimate($0.score), "\($0.rows.count)",
                        $0.isWorse ? "worse (p = \(Written.number($0.probability)))" : "",
                    ]
                })
        }
        if !robustness.isEmpty {
            page.heading("Degraded images")
            page.table(
                ["transform", "strength", "score", "change"],
                robustness.prefix(Self.linesMax).map {
                    [
                        $0.transform, Written.number($0.strength), Written.estimate($0.score),
                        Written.estimate($0.change),
                    ]
                })
        }
    }

    private func writeFailures(_ page: inout HTMLText) {
        guard !failures.isEmpty else { return }
        page.heading("What fails, and what to do")
        page.table(
            ["errors", "share", "rows", "proposal"],
            failures.prefix(Self.linesMax).map {
                [
                    Written.short($0.description, Self.answerCharactersMax),
                    String(format: "%.0f %%", 100 * $0.share), "\($0.rowCount)",
                    Written.short($0.proposal, Self.answerCharactersMax),
                ]
            })
    }

    private func writeRows(_ page: inout HTMLText) {
        guard !rows.isEmpty else { return }
        page.heading("Rows")
        page.element("div", ["class": "rows"]) { page in
            for row in rows.prefix(Self.rowsMax) {
                page.element("figure") { page in
                    if let source = Self.source(of: row.picture) {
                        page.open("img", ["src": source, "alt": row.example])
                    }
                    page.element("figcaption") { page in
                        page.element("b", text: Written.short(row.example, 200))
                        let confidence = row.confidence.map { ", confidence \(Written.number($0))" }
                        page.element(
                            "p", text: "score \(Written.number(row.score))\(confidence ?? "")")
                        page.escape("expected")
                        page.element(
                            "pre", text: Written.short(row.expected, Self.answerCharactersMax))
                        page.escape("answered")
                        page.element(
                            "pre", text: Written.short(row.answer, Self.answerCharactersMax))
                    }
                }
            }
        }
    }

    /// A data URL of a JPEG or PNG; nil for other bytes, and for large ones.
    private static func source(of picture: [UInt8]) -> String? {
        guard picture.count <= pictureBytesMax else { return nil }
        let kinds: [(String, [UInt8])] = [
            ("image/jpeg", [0xff, 0xd8, 0xff]), ("image/png", [0x89, 0x50, 0x4e, 0x47]),
        ]
        return kinds.first { picture.starts(with: $0.1) }.map {
            "data:\($0.0);base64,\(Foundation.Data(picture).base64EncodedString())"
        }
    }

    private static func share(_ share: Share) -> String {
        guard let value = share.value, let interval = share.interval else { return "" }
        return "\(Written.number(value)) (\(Written.number(interval.lower)) to "
            + "\(Written.number(interval.upper)))"
    }
}
