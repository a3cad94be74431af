/// Writes the Prometheus text exposition format, version 0.0.4.
package struct MetricsText: Sendable {
    /// What a scraper must be told with the text.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What a metric is, as its TYPE line says.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package private(set) var utf8: [UInt8] = []

    package init() {}

    /// All of it as text.
    package var text: String { String(decoding: utf8, as: UTF8.self) }

    /// Starts a metric; its samples follow.
    package mutating func metric(_ name: String, _ kind: Kind, help: String) {
        append("# HELP \(name) ")
        append(escaping: help, quotes: false)
        append("\n# TYPE \(name) \(kind.rawValue)\n")
    }

    /// One value. Label names are trusted, label values are not.
    package mutating func sample(_ name: String, _ labels: [MetricLabel], _ value: Double) {
        append(name)
        append(labels: labels)
        append(" \(MetricsText.number(value))\n")
    }

    /// The lines of one histogram.
    package mutating func histogram(
        _ name: String, _ labels: [MetricLabel], _ snapshot: HistogramSnapshot
    ) {
        var total: UInt64 = 0
        for (bound, count) in zip(snapshot.bounds + [.infinity], snapshot.counts) {
            total += count
            let bucket = labels + [MetricLabel("le", MetricsText.number(bound))]
            sample(name + "_bucket", bucket, Double(total))
        }
        sample(name + "_sum", labels, snapshot.sum)
        sample(name + "_count", labels, Double(total))
    }

    /// As Prometheus reads it: `+Inf`, `-Inf`, `NaN`, or digits.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int(exactly: value), abs(whole) < 1 << 53 { return String(whole) }
        return String(value)
    }

    private mutating func append(_ text: String) { utf8.append(contentsOf: text.utf8) }

    private mutating func append(labels: [MetricLabel]) {
        guard !labels.isEmpty else { return }
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append("\(label.name)=\"")
            append(escaping: label.value, quotes: true)
            append("\"")
        }
        append("}")
    }

    private mutating func append(escaping text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: utf8.append(byte)
            }
        }
    }
}

/// A dimension of a metric and where a series stands on it.
package struct MetricLabel: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }

    /// Whether Prometheus takes `name` as the name of a label.
    static func isValidName(_ name: String) -> Bool {
        !name.hasPrefix("__") && isIdentifier(name, alsoAllowing: nil)
    }

    /// Letters, digits and `_`, not beginning with a digit; `:` too in names of metrics.
    static func isIdentifier(_ name: String, alsoAllowing extra: UInt8?) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"): true
            default: $0 == extra
            }
        }
    }
}
