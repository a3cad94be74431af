import Foundation

/// Lines over two axes, as SVG.
enum Chart {
    struct Line {
        let name: String
        let color: String
        /// Points that are not numbers are gaps.
        let points: [(x: Double, y: Double)]
    }

    private static let width = 640.0
    private static let height = 260.0
    private static let left = 60.0
    private static let bottom = 40.0
    /// More points are thinned out evenly.
    private static let pointsMax = 1_000

    /// Writes a chart whose axes span all points; nothing without points.
    static func write(
        _ lines: [Line], axes: (x: String, y: String), to page: inout HTMLText
    ) {
        let shown = lines.map { line in
            Line(name: line.name, color: line.color, points: thinned(line.points))
        }.filter { !$0.points.isEmpty }
        let all = shown.flatMap(\.points)
        guard let frame = Frame(all) else { return }
        page.element(
            "svg",
            [
                "viewBox": "0 0 \(Int(width)) \(Int(height))", "width": "\(Int(width))",
                "role": "img",
            ]
        ) { svg in
            svg.element("title", text: "\(axes.y) over \(axes.x)")
            writeAxes(frame, axes, &svg)
            for (index, line) in shown.enumerated() {
                writeLine(line, frame, &svg)
                svg.element(
                    "text",
                    [
                        "x": "\(left + 10)", "y": "\(14 + 14 * index)",
                        "style": "fill:\(line.color)",
                    ],
                    text: line.name)
            }
        }
    }

    /// What is shown of the plane.
    private struct Frame {
        let x, y: ClosedRange<Double>

        init?(_ points: [(x: Double, y: Double)]) {
            let xs = points.map(\.x)
            let ys = points.map(\.y)
            guard let low = xs.min(), let high = xs.max(), let floor = ys.min(),
                let ceiling = ys.max()
            else { return nil }
            x = low...max(high, low + 1e-9 * max(1, abs(low)))
            let top = max(ceiling, floor + 1e-9 * max(1, abs(floor)))
            y = min(0, floor)...top
        }

        func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
            let across = (point.x - x.lowerBound) / (x.upperBound - x.lowerBound)
            let up = (point.y - y.lowerBound) / (y.upperBound - y.lowerBound)
            return (
                left + across * (width - left - 10), (height - bottom) - up * (height - bottom - 10)
            )
        }
    }

    private static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        // Beyond this, differences of numbers may not be numbers.
        let finite = points.filter { abs($0.x) < 1e150 && abs($0.y) < 1e150 }
        guard finite.count > pointsMax else { return finite }
        let stride = Double(finite.count - 1) / Double(pointsMax - 1)
        return (0..<pointsMax).map { finite[Int((Double($0) * stride).rounded())] }
    }

    private static func writeAxes(
        _ frame: Frame, _ axes: (x: String, y: String), _ svg: inout HTMLText
    ) {
        let floor = height - bottom
        for share in [0.0, 0.25, 0.5, 0.75, 1] {
            let y = frame.y.lowerBound + share * (frame.y.upperBound - frame.y.lowerBound)
            let place = frame.place((frame.x.lowerBound, y)).y
            svg.element(
                "path", ["d": "M\(left) \(fixed(place))H\(width - 10)", "stroke": "#e3e7eb"])
            svg.element(
                "text",
                ["x": "\(left - 6)", "y": fixed(place + 4), "text-anchor": "end"],
                text: label(y))
            let x = frame.x.lowerBound + share * (frame.x.upperBound - frame.x.lowerBound)
            svg.element(
                "text",
                [
                    "x": fixed(frame.place((x, frame.y.lowerBound)).x), "y": "\(floor + 15)",
                    "text-anchor": share == 1 ? "end" : "middle",
                ], text: label(x))
        }
        svg.element(
            "text", ["x": "\(width - 10)", "y": "\(floor + 32)", "text-anchor": "end"],
            text: axes.x)
        svg.element("text", ["x": "4", "y": "12"], text: axes.y)
    }

    private static func writeLine(_ line: Line, _ frame: Frame, _ svg: inout HTMLText) {
        let places = line.points.map(frame.place)
        let path = places.enumerated().map { index, place in
            "\(index == 0 ? "M" : "L")\(fixed(place.x)) \(fixed(place.y))"
        }
        svg.element(
            "path",
            [
                "d": path.joined(), "fill": "none", "stroke": line.color, "stroke-width": "1.5",
            ])
        guard places.count <= 40 else { return }
        for place in places {
            svg.element(
                "circle",
                ["cx": fixed(place.x), "cy": fixed(place.y), "r": "2.5", "fill": line.color])
        }
    }

    private static func fixed(_ value: Double) -> String { String(format: "%.1f", value) }
    private static func label(_ value: Double) -> String { String(format: "%.3g", value) }
}
