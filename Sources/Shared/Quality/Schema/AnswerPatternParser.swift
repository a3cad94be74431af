/// Reads the text of a pattern from left to right.
struct AnswerPatternParser {
    private static let depthMax = 32
    private static let repeatMax = 1_000
    private static let newline: ClosedRange<UInt32> = 10...10
    private static let digits: [ClosedRange<UInt32>] = [48...57]
    private static let word: [ClosedRange<UInt32>] = [48...57, 65...90, 95...95, 97...122]
    private static let space: [ClosedRange<UInt32>] = [9...10, 12...13, 32...32]

    private let scalars: [Unicode.Scalar]
    private var place = 0

    init(_ source: String) { scalars = Array(source.unicodeScalars) }

    /// The whole pattern.
    mutating func parse() throws(PatternError) -> PatternTree {
        // The whole answer is matched in any case.
        _ = take("^")
        if scalars.last == "$", scalars.dropLast().last != "\\" {
            var inner = self
            inner = Self(inner.scalars.dropLast(), from: place)
            return try inner.whole()
        }
        return try whole()
    }

    private init(_ scalars: ArraySlice<Unicode.Scalar>, from place: Int) {
        (self.scalars, self.place) = (Array(scalars), place)
    }

    private mutating func whole() throws(PatternError) -> PatternTree {
        let tree = try choice(depth: 0)
        guard place == scalars.count else { throw failure("a ')' too many") }
        return tree
    }

    private func failure(_ why: String) -> PatternError { .malformed(offset: place, why: why) }

    private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        place += 1
        return true
    }

    private mutating func choice(depth: Int) throws(PatternError) -> PatternTree {
        guard depth < Self.depthMax else { throw failure("more than \(Self.depthMax) groups") }
        var options = [try sequence(depth: depth)]
        while take("|") { options.append(try sequence(depth: depth)) }
        return options.count == 1 ? options[0] : .choice(options)
    }

    private mutating func sequence(depth: Int) throws(PatternError) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            parts.append(try repeated(try atom(depth: depth)))
        }
        return .sequence(parts)
    }

    private mutating func atom(depth: Int) throws(PatternError) -> PatternTree {
        if take("(") {
            if take("?"), !take(":") { throw failure("only (?: is allowed after '('") }
            let inner = try choice(depth: depth + 1)
            guard take(")") else { throw failure("a ')' is missing") }
            return inner
        }
        if take("[") { return .one(try set()) }
        if take(".") { return .one(CharacterSetTest(ranges: [Self.newline], isNegated: true)) }
        if take("\\") { return .one(try escape()) }
        guard let scalar = next, !"*+?{}^$".unicodeScalars.contains(scalar) else {
            throw failure("nothing stands before a repeat, or an anchor inside")
        }
        place += 1
        return .one(CharacterSetTest(ranges: [scalar.value...scalar.value]))
    }

    private mutating func escape() throws(PatternError) -> CharacterSetTest {
        guard let scalar = next else { throw failure("it ends after '\\'") }
        place += 1
        switch scalar {
        case "d": return CharacterSetTest(ranges: Self.digits)
        case "D": return CharacterSetTest(ranges: Self.digits, isNegated: true)
        case "w": return CharacterSetTest(ranges: Self.word)
        case "W": return CharacterSetTest(ranges: Self.word, isNegated: true)
        case "s": return CharacterSetTest(ranges: Self.space)
        case "S": return CharacterSetTest(ranges: Self.space, isNegated: true)
        case "n": return CharacterSetTest(ranges: [Self.newline])
        case "t": return CharacterSetTest(ranges: [9...9])
        default:
            guard !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
                throw failure("'\\\(scalar)' is not known here")
            }
            return CharacterSetTest(ranges: [scalar.value...scalar.value])
        }
    }

    private mutating func set() throws(PatternError) -> CharacterSetTest {
        var test = CharacterSetTest(ranges: [], isNegated: take("^"))
        var isFirst = true
        while let scalar = next, isFirst || scalar != "]" {
            isFirst = false
            place += 1
            if scalar == "\\" {
                let inner = try escape()
                guard !inner.isNegated else { throw failure("a negation inside a class") }
                test.ranges += inner.ranges
                continue
            }
            guard next == "-", place + 1 < scalars.count, scalars[place + 1] != "]" else {
                test.ranges.append(scalar.value...scalar.value)
                continue
            }
            let end = scalars[place + 1]
            guard end != "\\", end.value >= scalar.value else {
                throw failure("the range '\(scalar)-\(end)'")
            }
            test.ranges.append(scalar.value...end.value)
            place += 2
        }
        guard take("]") else { throw failure("a ']' is missing") }
        return test
    }

    private mutating func repeated(_ part: PatternTree) throws(PatternError) -> PatternTree {
        var part = part
        while let scalar = next, "*+?{".unicodeScalars.contains(scalar) {
            place += 1
            switch scalar {
            case "*": part = .repeated(part, low: 0, high: nil)
            case "+": part = .repeated(part, low: 1, high: nil)
            case "?": part = .repeated(part, low: 0, high: 1)
            default: part = try counted(part)
            }
            // Which of several ways is taken first makes no difference to a match of the whole.
            _ = take("?")
        }
        return part
    }

    private mutating func counted(_ part: PatternTree) throws(PatternError) -> PatternTree {
        guard let low = number() else { throw failure("a number is missing after '{'") }
        var high: Int? = low
        if take(",") { high = number() }
        guard take("}") else { throw failure("a '}' is missing") }
        guard low <= Self.repeatMax, high ?? 0 <= Self.repeatMax, low <= high ?? low else {
            throw failure("repeats are 0 to \(Self.repeatMax), in rising order")
        }
        return .repeated(part, low: low, high: high)
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = next, (48...57).contains(scalar.value), digits.count < 6 {
            digits.unicodeScalars.append(scalar)
            place += 1
        }
        return Int(digits)
    }
}
