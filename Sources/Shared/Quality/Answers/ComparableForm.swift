import Base
import Foundation
package import Text

/// How a field is made comparable before two answers are compared.
package enum FieldForm: Sendable, Hashable, CaseIterable {
    /// Exact, after trimming outer white space and Unicode composition (NFC).
    case exact
    /// Case and runs of white space do not count.
    case text
    /// By value, with any decimal and group separator. A single comma before exactly three digits
    /// groups; a single dot always is a decimal point.
    case number
    /// By day, whatever the notation. Where day and month cannot be told apart, days come first
    /// with dots and slashes.
    case date
    /// By value and currency.
    case money
    /// By value in the base unit: "1.2 m" equals "120 cm".
    case quantity
    /// Lists without regard to order; elements by text.
    case unorderedList
}

/// A value in the form in which it is compared.
package struct ComparableValue: Sendable, Hashable {
    /// Equal for equal values.
    package let key: String
    /// The value where it is a number, for tolerances.
    package let number: Double?
    /// What goes with the number, such as the currency: it must be equal.
    package let unit: String

    init(_ key: String, number: Double? = nil, unit: String = "") {
        (self.key, self.number, self.unit) = (key, number, unit)
    }

    /// Whether values are equal, or numbers of the same unit within `tolerance`.
    package func matches(_ other: ComparableValue, tolerance: Double = 0) -> Bool {
        if key == other.key { return true }
        guard tolerance > 0, let number, let other = other.number.map({ ($0, other.unit) })
        else { return false }
        // A hair more, so that 0.3 - 0.2 is within 0.1.
        return unit == other.1 && abs(number - other.0) <= tolerance * (1 + 1e-9)
    }
}

extension FieldForm {
    /// A text in comparable form. What is not of the form is compared as text, so that the same
    /// slip of two people still is an agreement.
    package func value(of text: String) -> ComparableValue {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
            .precomposedStringWithCanonicalMapping
        switch self {
        case .exact: return ComparableValue(trimmed)
        case .text, .unorderedList: return ComparableValue(Self.folded(trimmed))
        case .number:
            if let number = ExactNumber(trimmed) { return number.comparable(unit: "") }
        case .date:
            if let day = DateNotation.day(of: trimmed) { return ComparableValue(day.description) }
        case .money:
            if let (number, currency) = Money.parse(trimmed) {
                return number.comparable(unit: currency)
            }
        case .quantity:
            if let (number, unit) = Quantity.parse(trimmed) {
                return ComparableValue(
                    "\(Quantity.rounded(number)) \(unit)", number: number, unit: unit)
            }
        }
        return ComparableValue(Self.folded(trimmed))
    }

    /// A JSON value in comparable form; kinds never equal each other, except that numbers and
    /// their texts do where the form is one of values.
    package func value(of node: JSONNode) -> ComparableValue {
        if let text = node.string {
            let value = value(of: text)
            // Where no value was read "12" and 12 are different.
            let isValue = value.number != nil || self == .text || self == .date
            return isValue ? value : ComparableValue("\"\(value.key)", number: nil)
        }
        if let truth = node.bool { return ComparableValue(truth ? "true" : "false") }
        if node.isNull { return ComparableValue("null") }
        if node.isArray {
            let keys = node.elements.map { value(of: $0).key }
            let sorted = self == .unorderedList ? keys.sorted() : keys
            return ComparableValue("[" + sorted.joined(separator: "\u{1F}") + "]")
        }
        if node.isObject {
            let keys = node.members.map { "\($0.key.string ?? "")\u{1E}\(value(of: $0.value).key)" }
            return ComparableValue("{" + keys.sorted().joined(separator: "\u{1F}") + "}")
        }
        let number = ExactNumber(json: node)
        return number?.comparable(unit: "") ?? ComparableValue("\(node.double ?? 0)")
    }

    private static func folded(_ text: String) -> String {
        text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .precomposedStringWithCanonicalMapping
    }
}

/// A decimal number without rounding: sign, digits and a power of ten.
struct ExactNumber {
    private let isNegative: Bool
    private let digits: [UInt8]
    private let exponent: Int

    /// Longer ones are text.
    private static let bytesMax = 400

    /// Reads "1,234.50", "1.234,50", "1 234.5", "1'234.5", "-12", "+3", "12 %" without its sign.
    init?(_ text: String) {
        let spaces: Set<Character> = [" ", "\u{A0}", "\u{202F}", "'", "\u{2019}", "_"]
        let compact = text.filter { !spaces.contains($0) }
            .replacingOccurrences(of: "\u{2212}", with: "-")
        guard compact.utf8.count <= Self.bytesMax else { return nil }
        let dots = compact.count { $0 == "." }
        let commas = compact.count { $0 == "," }
        var decimal: Character? = dots == 1 ? "." : nil
        if dots > 0, commas > 0 {
            let last = compact.last { $0 == "." || $0 == "," }
            decimal = (last == "." ? dots : commas) == 1 ? last : nil
        } else if commas == 1 {
            let after = compact.reversed().prefix { $0 != "," }.count
            decimal = after == 3 ? nil : ","
        }
        let plain = compact.compactMap { character -> Character? in
            if character == decimal { return "." }
            return character == "." || character == "," ? nil : character
        }
        self.init(plain: String(plain))
    }

    /// A number of a JSON text, as exact as double precision has it.
    init?(json: JSONNode) {
        if let whole = json.int {
            self.init(plain: String(whole))
        } else if let number = json.double, number.isFinite {
            self.init(plain: "\(number)")
        } else {
            return nil
        }
    }

    private init?(plain: String) {
        var rest = Substring(plain)
        var exponent = 0
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if let mark = rest.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            guard let power = Int(rest[rest.index(after: mark)...]), abs(power) < 1_000 else {
                return nil
            }
            (exponent, rest) = (power, rest[..<mark])
        }
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.contains(where: { !$0.isEmpty }),
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        else { return nil }
        var digits = parts.flatMap { $0.utf8.map { $0 - 0x30 } }
        if parts.count == 2 { exponent -= parts[1].utf8.count }
        while let last = digits.last, last == 0 {
            digits.removeLast()
            exponent += 1
        }
        digits = Array(digits.drop { $0 == 0 })
        self.digits = digits
        self.exponent = digits.isEmpty ? 0 : exponent
        self.isNegative = isNegative && !digits.isEmpty
    }

    /// The nearest number of double precision.
    var double: Double { Double(text) ?? 0 }

    private var text: String {
        let body = digits.isEmpty ? "0" : digits.map(String.init).joined()
        return "\(isNegative ? "-" : "")\(body)e\(exponent)"
    }

    func comparable(unit: String) -> ComparableValue {
        ComparableValue("#\(text) \(unit)", number: double, unit: unit)
    }
}
