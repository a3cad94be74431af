import Foundation

/// Which classes are taken for which, as a grid of shades: a row of the grid is a true class.
struct ConfusionGrid {
    private let names: [String]
    /// By row, then column.
    private let counts: [[Int]]

    /// More classes would not be readable; those with most errors are shown.
    static let classesMax = 30
    private static let side = 34.0
    private static let margin = 150.0

    init(_ report: ClassificationReport) {
        var weight: [String: Int] = [:]
        for cell in report.confusions {
            let isError = cell.actual != cell.predicted || cell.actual == nil
            weight[Self.name(cell.actual), default: 0] += isError ? cell.count : 0
            weight[Self.name(cell.predicted), default: 0] += isError ? cell.count : 0
        }
        let order = Dictionary(
            report.classes.enumerated().map { ($0.element.name, $0.offset) },
            uniquingKeysWith: { first, _ in first })
        let chosen = weight.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .prefix(Self.classesMax).map(\.key)
            .sorted { (order[$0] ?? order.count, $0) < (order[$1] ?? order.count, $1) }
        var counts = Array(
            repeating: Array(repeating: 0, count: chosen.count), count: chosen.count)
        for cell in report.confusions {
            guard let row = chosen.firstIndex(of: Self.name(cell.actual)),
                let column = chosen.firstIndex(of: Self.name(cell.predicted))
            else { continue }
            counts[row][column] += cell.count
        }
        (names, self.counts) = (chosen, counts)
    }

    private static func name(_ label: String?) -> String { label ?? "(outside)" }

    /// Writes the grid; nothing without rows.
    func write(to page: inout HTMLText) {
        guard !names.isEmpty else { return }
        let size = Self.margin + Self.side * Double(names.count)
        page.element(
            "svg",
            ["viewBox": "0 0 \(Int(size)) \(Int(size))", "width": "\(Int(size))", "role": "img"]
        ) { svg in
            svg.element("title", text: "true classes down, answers across")
            for (index, name) in names.enumerated() {
                let middle = Self.margin + Self.side * (Double(index) + 0.6)
                let label = Written.short(name, 20)
                svg.element(
                    "text",
                    ["x": "\(Self.margin - 6)", "y": "\(middle)", "text-anchor": "end"],
                    text: label)
                svg.element(
                    "text",
                    ["transform": "translate(\(middle) \(Self.margin - 6)) rotate(-60)"],
                    text: label)
                writeRow(index, &svg)
            }
        }
    }

    private func writeRow(_ row: Int, _ svg: inout HTMLText) {
        let total = max(1, counts[row].reduce(0, +))
        let y = Self.margin + Self.side * Double(row)
        for (column, count) in counts[row].enumerated() {
            let x = Self.margin + Self.side * Double(column)
            let share = Double(count) / Double(total)
            let color = row == column ? "59,110,168" : "179,92,0"
            svg.element(
                "rect",
                [
                    "x": "\(x)", "y": "\(y)", "width": "\(Self.side - 1)",
                    "height": "\(Self.side - 1)",
                    "fill": String(format: "rgba(\(color),%.2f)", 0.05 + 0.85 * share),
                ])
            guard count > 0 else { continue }
            svg.element(
                "text",
                [
                    "x": "\(x + Self.side / 2)", "y": "\(y + Self.side * 0.6)",
                    "text-anchor": "middle",
                ], text: "\(count)")
        }
    }
}
