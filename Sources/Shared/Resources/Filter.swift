import Foundation

/// What a field of a filter holds.
package enum FilterKind: Sendable, Hashable {
    case text
    /// Several texts; `:` asks whether one of them is the value.
    case texts
    case number
    case truth
    /// RFC 3339, compared as nanoseconds since 1970.
    case time
    /// One of these names, in any case.
    case choice([String])
}

/// The value of a field of one resource.
package enum FilterValue: Sendable, Hashable {
    case text(String)
    case texts([String])
    case number(Double)
    case truth(Bool)
    /// The resource does not have it; only `!=` is true of it.
    case none
}

/// A condition as AIP-160 writes it: `state = DECIDED AND (tags:negative OR width_pixels < 300)`.
///
/// As there, OR binds more tightly than AND, and conditions side by side are joined by AND.
package indirect enum Filter: Sendable, Hashable {
    case all([Filter])
    case any([Filter])
    case not(Filter)
    case compare(field: String, Comparator, FilterValue)

    /// How a field is compared with a value.
    package enum Comparator: String, Sendable, Hashable, CaseIterable {
        // Longer ones first, so that `<=` is not read as `<`.
        case notEqual = "!="
        case lessOrEqual = "<="
        case greaterOrEqual = ">="
        case equal = "="
        case less = "<"
        case greater = ">"
        case has = ":"
    }

    /// True of everything.
    package static let everything = Filter.all([])

    /// Reads a filter.
    ///
    /// - Parameter kind: what a field holds; nil for a field that there is not
    package init(
        _ text: String, kind: (String) -> FilterKind?
    ) throws(ResourceError) {
        guard text.utf8.count <= ResourceLimits.filterBytesMax else {
            throw .tooLarge(
                what: "filter", bytes: text.utf8.count, bytesMax: ResourceLimits.filterBytesMax)
        }
        var parser = FilterParser(text)
        self = try parser.conjunction(kind, depth: 0)
        guard parser.isAtEnd else { throw parser.failure("a condition was expected") }
    }

    /// Whether it is true of everything.
    package var isEverything: Bool { self == .everything }

    /// The fields that it asks for.
    package var fields: Set<String> {
        switch self {
        case .all(let parts), .any(let parts):
            parts.reduce(into: []) { $0.formUnion($1.fields) }
        case .not(let part): part.fields
        case .compare(let field, _, _): [field]
        }
    }

    /// Whether it is true of the resource whose fields `value` gives.
    package func matches(_ value: (String) -> FilterValue) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.matches(value) }
        case .any(let parts): parts.contains { $0.matches(value) }
        case .not(let part): !part.matches(value)
        case .compare(let field, let comparator, let wanted):
            Self.compare(value(field), comparator, wanted)
        }
    }

    private static func compare(
        _ seen: FilterValue, _ comparator: Comparator, _ wanted: FilterValue
    ) -> Bool {
        switch (seen, wanted) {
        case (.text(let a), .text(let b)):
            comparator == .has ? b == "*" || a.contains(b) : ordered(a, comparator, b)
        case (.texts(let all), .text(let b)):
            comparator == .notEqual ? !all.contains(b) : all.contains(b) || b == "*" && !all.isEmpty
        case (.number(let a), .number(let b)): ordered(a, comparator, b)
        case (.truth(let a), .truth(let b)): comparator == .notEqual ? a != b : a == b
        default: comparator == .notEqual
        }
    }

    private static func ordered<T: Comparable>(_ a: T, _ comparator: Comparator, _ b: T) -> Bool {
        switch comparator {
        case .equal, .has: a == b
        case .notEqual: a != b
        case .less: a < b
        case .lessOrEqual: a <= b
        case .greater: a > b
        case .greaterOrEqual: a >= b
        }
    }
}

/// Reads the text of a filter from left to right.
private struct FilterParser {
    private let utf8: [UInt8]
    private var place = 0

    init(_ text: String) { utf8 = Array(text.utf8) }

    var isAtEnd: Bool { place >= utf8.count }

    func failure(_ why: String) -> ResourceError { .badFilter(why: why, at: place) }

    mutating func conjunction(
        _ kind: (String) -> FilterKind?, depth: Int
    ) throws(ResourceError) -> Filter {
        guard depth < ResourceLimits.filterDepthMax else {
            throw failure("more than \(ResourceLimits.filterDepthMax) levels of parentheses")
        }
        var parts: [Filter] = []
        skipSpace()
        while !isAtEnd, utf8[place] != UInt8(ascii: ")") {
            if !parts.isEmpty { _ = takeWord("AND") }
            parts.append(try disjunction(kind, depth: depth))
            skipSpace()
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func disjunction(
        _ kind: (String) -> FilterKind?, depth: Int
    ) throws(ResourceError) -> Filter {
        var parts = [try term(kind, depth: depth)]
        while takeWord("OR") { parts.append(try term(kind, depth: depth)) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func term(
        _ kind: (String) -> FilterKind?, depth: Int
    ) throws(ResourceError) -> Filter {
        if takeWord("NOT") || take(UInt8(ascii: "-")) {
            return .not(try term(kind, depth: depth + 1))
        }
        guard take(UInt8(ascii: "(")) else { return try comparison(kind) }
        let inner = try conjunction(kind, depth: depth + 1)
        guard take(UInt8(ascii: ")")) else { throw failure("a ')' is missing") }
        return inner
    }

    private mutating func comparison(
        _ kind: (String) -> FilterKind?
    ) throws(ResourceError) -> Filter {
        skipSpace()
        let start = place
        let field = try word("the name of a field")
        guard let kind = kind(field) else {
            place = start
            throw failure("there is no field '\(field.shortened)'")
        }
        skipSpace()
        guard
            let comparator = Filter.Comparator.allCases.first(where: { comparator in
                utf8[place...].starts(with: comparator.rawValue.utf8)
            })
        else { throw failure("= != < <= > >= or : was expected") }
        place += comparator.rawValue.utf8.count
        skipSpace()
        let text = try word("a value")
        return .compare(field: field, comparator, try value(text, of: kind))
    }

    private func value(_ text: String, of kind: FilterKind) throws(ResourceError) -> FilterValue {
        switch kind {
        case .text, .texts: return .text(text)
        case .number:
            guard let number = Double(text) else { throw failure("'\(text)' is no number") }
            return .number(number)
        case .truth:
            guard let truth = Bool(text) else { throw failure("true or false was expected") }
            return .truth(truth)
        case .time:
            let date = try? Date(text, strategy: .iso8601)
            guard let date else { throw failure("a time such as 2026-01-31T12:00:00Z") }
            return .number((date.timeIntervalSince1970 * 1e9).rounded())
        case .choice(let names):
            guard names.contains(text.uppercased()) else {
                throw failure("one of \(names.joined(separator: ", ")) was expected")
            }
            return .text(text.uppercased())
        }
    }

    /// A quoted text, or letters up to a space, a parenthesis or a comparison.
    private mutating func word(_ expected: String) throws(ResourceError) -> String {
        if take(UInt8(ascii: "\"")) { return try quoted() }
        let start = place
        while !isAtEnd, !Self.ends.contains(utf8[place]) { place += 1 }
        guard place > start else { throw failure("\(expected) was expected") }
        return String(decoding: utf8[start..<place], as: UTF8.self)
    }

    private mutating func quoted() throws(ResourceError) -> String {
        var bytes: [UInt8] = []
        while !isAtEnd {
            let byte = utf8[place]
            place += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), !isAtEnd {
                bytes.append(utf8[place])
                place += 1
            } else {
                bytes.append(byte)
            }
        }
        throw failure("a closing quotation mark is missing")
    }

    private static let ends = Set(" \t\n()=<>!:\"".utf8)

    private mutating func skipSpace() {
        while !isAtEnd, [0x20, 0x09, 0x0a].contains(utf8[place]) { place += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard !isAtEnd, utf8[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func takeWord(_ word: String) -> Bool {
        skipSpace()
        let end = place + word.utf8.count
        guard utf8[place...].starts(with: word.utf8),
            end >= utf8.count || Self.ends.contains(utf8[end])
        else { return false }
        place = end
        return true
    }
}
