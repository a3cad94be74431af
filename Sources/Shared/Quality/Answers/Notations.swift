import Base
import Foundation

/// The notations of a day that are read.
enum DateNotation {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// 2026-12-31, 2026/12/31, 20261231, 31.12.2026, 31/12/2026, 12/31/2026, 31 Dec 2026,
    /// December 31, 2026; a time of day after it does not count.
    static func day(of text: String) -> CivilDate? {
        let date = text.prefix(40).split(separator: "T", maxSplits: 1).first ?? ""
        let hasTime = text.contains("T") && date.count < text.count
        let source = hasTime && date.first?.isNumber == true ? date : text.prefix(40)
        let words = source.split { " ./-,".contains($0) }.prefix(4).map(String.init)
        if words.count == 1, words[0].utf8.count == 8, Int(words[0]) != nil {
            return day(words[0].prefix(4), words[0].dropFirst(4).prefix(2), words[0].suffix(2))
        }
        guard words.count >= 3 else { return nil }
        if let month = month(words[1]) { return day(words[2], "\(month)", words[0]) }
        if let month = month(words[0]) { return day(words[2], "\(month)", words[1]) }
        if words[0].utf8.count == 4 { return day(words[0], words[1], words[2]) }
        return day(words[2], words[1], words[0]) ?? day(words[2], words[0], words[1])
    }

    private static func month(_ word: String) -> Int? {
        guard word.count >= 3 else { return nil }
        return months.firstIndex(of: String(word.lowercased().prefix(3))).map { $0 + 1 }
    }

    private static func day(
        _ year: some StringProtocol, _ month: some StringProtocol, _ day: some StringProtocol
    ) -> CivilDate? {
        guard year.utf8.count == 4 else { return nil }
        func padded(_ text: some StringProtocol) -> String {
            text.utf8.count == 1 ? "0\(text)" : "\(text)"
        }
        return CivilDate("\(year)-\(padded(month))-\(padded(day))")
    }
}

/// Amounts with their currency.
enum Money {
    private static let symbols: [Character: String] = [
        "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW",
    ]

    /// "€ 12.50", "12,50 EUR", "USD 3"; without a currency the unit is empty.
    static func parse(_ text: String) -> (number: ExactNumber, currency: String)? {
        var currencies: [String] = []
        var amount = ""
        var letters = ""
        for character in text {
            if let currency = symbols[character] {
                currencies.append(currency)
            } else if character.isLetter {
                letters.append(character)
            } else {
                amount.append(character)
            }
        }
        if !letters.isEmpty {
            guard letters.utf8.count == 3 else { return nil }
            currencies.append(letters.uppercased())
        }
        guard Set(currencies).count <= 1, let number = ExactNumber(amount) else { return nil }
        return (number, currencies.first ?? "")
    }
}

/// Numbers with a unit.
enum Quantity {
    /// Base unit and factor of each unit; temperatures are kept apart, since they have no
    /// common zero.
    private static let units: [String: (base: String, factor: Double)] = {
        let metric: [(String, Double)] = [
            ("n", 1e-9), ("µ", 1e-6), ("μ", 1e-6), ("u", 1e-6), ("m", 1e-3), ("", 1), ("k", 1e3),
            ("M", 1e6), ("G", 1e9),
        ]
        var units: [String: (String, Double)] = [:]
        for unit in ["m", "g", "l", "L", "s", "Pa", "V", "A", "W", "Hz", "N", "J", "Ω", "B"] {
            for (prefix, factor) in metric {
                units[prefix + unit] = (unit == "L" ? "l" : unit, factor)
            }
        }
        let others: [(String, String, Double)] = [
            ("cm", "m", 0.01), ("dm", "m", 0.1), ("in", "m", 0.0254), ("\"", "m", 0.0254),
            ("ft", "m", 0.3048), ("yd", "m", 0.9144), ("mi", "m", 1_609.344), ("t", "g", 1e6),
            ("lb", "g", 453.59237), ("oz", "g", 28.349523125), ("cl", "l", 0.01),
            ("dl", "l", 0.1), ("min", "s", 60), ("h", "s", 3_600), ("d", "s", 86_400),
            ("bar", "Pa", 1e5), ("mbar", "Pa", 100), ("%", "", 0.01), ("‰", "", 0.001),
            ("°C", "°C", 1), ("°F", "°F", 1), ("K", "K", 1), ("°", "°", 1),
            ("mm²", "m²", 1e-6), ("cm²", "m²", 1e-4), ("m²", "m²", 1), ("km²", "m²", 1e6),
            ("mm³", "m³", 1e-9), ("cm³", "m³", 1e-6), ("m³", "m³", 1), ("px", "px", 1),
        ]
        for (name, base, factor) in others { units[name] = (base, factor) }
        return units
    }()

    /// A number in the base unit of its unit; unknown units keep their name, and count as text.
    static func parse(_ text: String) -> (number: Double, unit: String)? {
        let split = text.lastIndex { $0.isNumber || $0 == "." }
        guard let split else { return nil }
        let after = text.index(after: split)
        let unit = text[after...].trimmingCharacters(in: .whitespaces)
        guard let number = ExactNumber(String(text[..<after])) else { return nil }
        if unit.isEmpty { return (number.double, "") }
        let plain = unit.replacingOccurrences(of: "^2", with: "²")
            .replacingOccurrences(of: "^3", with: "³")
        guard let known = units[plain] else { return (number.double, unit) }
        return (number.double * known.factor, known.base)
    }

    /// Twelve digits, so that 120 · 0.01 and 1.2 are the same.
    static func rounded(_ number: Double) -> String {
        guard number != 0, number.isFinite else { return "0" }
        let scale = pow(10, 11 - log10(abs(number)).rounded(.down))
        let rounded = (number * scale).rounded() / scale
        return rounded.isFinite ? String(format: "%.11e", rounded) : "\(number)"
    }
}
