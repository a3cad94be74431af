import Foundation
import Quality

/// Writes HTML in which nothing from outside can be anything but text.
struct HTMLText {
    private(set) var text = ""

    /// Markup of our own.
    mutating func raw(_ markup: StaticString) { text += "\(markup)" }

    /// An element with attributes and what is in it.
    mutating func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        _ body: (inout HTMLText) -> Void = { _ in }
    ) {
        open(name, attributes)
        body(&self)
        text += "</\(name)>"
    }

    /// An element with text in it.
    mutating func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        text content: String
    ) {
        element(name, attributes) { $0.escape(content) }
    }

    /// The start of an element, or all of one that has no end.
    mutating func open(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:]
    ) {
        text += "<\(name)"
        for (key, value) in attributes {
            text += " \(key)=\""
            escape(value)
            text += "\""
        }
        text += ">"
    }

    /// Text as such. Control characters, and those that turn the direction of text around, become
    /// U+FFFD.
    mutating func escape(_ content: String) {
        for scalar in content.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            case "\n", "\t": text.unicodeScalars.append(scalar)
            default:
                text.unicodeScalars.append(Self.isHarmless(scalar) ? scalar : "\u{fffd}")
            }
        }
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069, 0xfffe, 0xffff: false
        default: true
        }
    }

    /// A heading.
    mutating func heading(_ title: String) { element("h2", text: title) }

    /// A table, with a head unless that is empty.
    mutating func table(_ head: [String], _ rows: [[String]]) {
        element("table") { html in
            if !head.isEmpty {
                html.element("tr") { html in for cell in head { html.element("th", text: cell) } }
            }
            for row in rows {
                html.element("tr") { html in
                    for cell in row { html.element("td", text: cell) }
                }
            }
        }
    }
}

/// Numbers as people read them.
enum Written {
    /// Three digits after the point; very large and small ones with a power of ten.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "not a number" : "infinite" }
        let isPlain = value == 0 || (0.001..<100_000).contains(abs(value))
        return String(format: isPlain ? "%.3f" : "%.3g", value)
    }

    /// A value and its interval.
    static func estimate(_ estimate: Estimate) -> String {
        guard let interval = estimate.interval else { return number(estimate.value) }
        return "\(number(estimate.value)) (\(number(interval.lower)) to \(number(interval.upper)))"
    }

    /// Cut at as many characters.
    static func short(_ text: String, _ countMax: Int) -> String {
        let scalars = text.unicodeScalars
        guard
            let cut = scalars.index(
                scalars.startIndex, offsetBy: countMax, limitedBy: scalars.endIndex),
            cut < scalars.endIndex
        else { return text }
        return String(scalars[..<cut]) + " …"
    }
}
