package import Base

/// One line that says how far a long command is. Pure: the caller brings the time and writes.
///
///     importing  [=========>          ]  45%  4500/10000 rows  1500/s  4 s left
package struct ProgressBar: Sendable {
    /// Less time than this between two lines only makes a terminal flicker.
    package static let secondsBetweenLines = 0.1
    private static let barColumns = 20

    private let title, unit: String
    /// nil where the end is not known.
    private let total: Int?
    private let columnsMax: Int
    private let start: MonotonicTime
    private var shown: MonotonicTime?

    /// - Parameters:
    ///   - unit: what is counted, in the plural
    ///   - columnsMax: the width of the terminal
    package init(
        title: String, unit: String, total: Int?, columnsMax: Int, start: MonotonicTime
    ) {
        (self.title, self.unit, self.total) = (title, unit, total)
        (self.columnsMax, self.start) = (columnsMax, start)
    }

    /// The line to write over the last one, or nil if that was too short a time ago.
    package mutating func line(done: Int, now: MonotonicTime) -> String? {
        if let shown, now.seconds(since: shown) < Self.secondsBetweenLines { return nil }
        shown = now
        return "\r" + text(done: done, seconds: now.seconds(since: start)) + "\u{1b}[K"
    }

    /// The last line, with its newline.
    package func end(done: Int, now: MonotonicTime) -> String {
        "\r" + text(done: done, seconds: now.seconds(since: start)) + "\u{1b}[K\n"
    }

    private func text(done: Int, seconds: Double) -> String {
        let rate = seconds > 0 ? Double(done) / seconds : 0
        var parts = [title]
        if let total, total > 0 {
            let share = min(1, max(0, Double(done) / Double(total)))
            parts.append("[\(bar(share))]")
            parts.append(padded("\(Int(share * 100))%", 4))
            parts.append("\(done)/\(total) \(unit)")
        } else {
            parts.append("\(done) \(unit)")
        }
        if rate > 0 { parts.append("\(rounded(rate))/s") }
        if let total, rate > 0, done < total {
            parts.append("\(duration(Double(total - done) / rate)) left")
        }
        return String(parts.joined(separator: "  ").prefix(max(0, columnsMax - 1)))
    }

    private func bar(_ share: Double) -> String {
        let filled = Int(share * Double(Self.barColumns))
        guard filled < Self.barColumns else { return String(repeating: "=", count: filled) }
        return String(repeating: "=", count: filled) + ">"
            + String(repeating: " ", count: Self.barColumns - filled - 1)
    }

    private func rounded(_ rate: Double) -> String {
        rate >= 10 ? bounded(rate) : String((rate * 10).rounded() / 10)
    }

    private func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<100: "\(bounded(seconds)) s"
        case ..<6_000: "\(bounded(seconds / 60)) min"
        default: "\(bounded(seconds / 3_600)) h"
        }
    }

    private func bounded(_ value: Double) -> String { String(Int(min(value.rounded(), 1e15))) }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
