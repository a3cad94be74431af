/// A pattern as written: what the parser gives and the compiler takes.
indirect enum PatternTree {
    case set(ScalarSet)
    case sequence([PatternTree])
    case choice([PatternTree])
    case repeated(PatternTree, min: Int, max: Int, mode: Mode)
    case lookAhead(PatternTree, isNegated: Bool)
    case atStart
    case atEnd
    case atBoundary(isNegated: Bool)

    /// How a repetition decides between one more and going on.
    enum Mode { case greedy, lazy, possessive }

    /// Whether it can match nothing.
    var canBeEmpty: Bool {
        switch self {
        case .set: false
        case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
        case .choice(let options): options.contains(where: \.canBeEmpty)
        case .repeated(let part, let min, _, _): min == 0 || part.canBeEmpty
        case .lookAhead, .atStart, .atEnd, .atBoundary: true
        }
    }
}

/// Reads the subset of regular expressions that tokenizer files use.
///
/// Literals, classes, `\p{..}`, `\s \d \w` and their opposites, groups without capture, `(?i)`,
/// look-ahead, anchors, boundaries of words, and greedy, lazy and possessive repetition.
struct PatternParser {
    private let source: String
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var ignoresCase = false
    private var depth = 0

    private static let depthMax = 32
    private static let repeatMax = 1000
    private static let lengthMax = 4096

    init(_ source: String) {
        (self.source, scalars) = (source, Array(source.unicodeScalars))
    }

    mutating func parse() throws(TokenizerError) -> PatternTree {
        guard scalars.count <= Self.lengthMax else {
            throw error("\(scalars.count) characters, \(Self.lengthMax) allowed")
        }
        let tree = try choice()
        if position < scalars.count { throw error("unexpected '\(scalars[position])'") }
        return tree
    }

    private func error(_ why: String) -> TokenizerError {
        .badPattern(pattern: String(source.prefix(200)), offset: position, why: why)
    }

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take() throws(TokenizerError) -> Unicode.Scalar {
        guard let scalar = current else { throw error("ends too early") }
        position += 1
        return scalar
    }

    private mutating func skip(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private mutating func choice() throws(TokenizerError) -> PatternTree {
        var options = [try sequence()]
        while skip("|") { options.append(try sequence()) }
        return options.count == 1 ? options[0] : .choice(options)
    }

    private mutating func sequence() throws(TokenizerError) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            if skip("(?i)") {
                ignoresCase = true
                continue
            }
            let part = try atom()
            parts.append(try repetition(of: part))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repetition(of part: PatternTree) throws(TokenizerError) -> PatternTree {
        let bounds: (Int, Int)?
        switch current {
        case "*": bounds = (0, .max)
        case "+": bounds = (1, .max)
        case "?": bounds = (0, 1)
        case "{": bounds = try braces()
        default: bounds = nil
        }
        guard let (min, max) = bounds else { return part }
        position += 1
        let mode: PatternTree.Mode = skip("?") ? .lazy : skip("+") ? .possessive : .greedy
        // Such a repetition could go on for ever without moving.
        if max > 1, part.canBeEmpty { throw error("repeats what may be empty") }
        return try repetition(of: .repeated(part, min: min, max: max, mode: mode))
    }

    /// Reads `{2}`, `{2,}` or `{2,3}` up to the closing brace.
    private mutating func braces() throws(TokenizerError) -> (Int, Int) {
        position += 1
        let least = number()
        var most = least
        if skip(",") { most = current == "}" ? .max : number() }
        guard current == "}", let least, let most, least <= most,
            least <= Self.repeatMax, most == .max || most <= Self.repeatMax
        else { throw error("needs {n}, {n,} or {n,m} up to \(Self.repeatMax)") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let digits = scalars[position...].prefix { ("0"..."9").contains($0) }
        position += digits.count
        return Int(String(String.UnicodeScalarView(digits)))
    }

    private mutating func atom() throws(TokenizerError) -> PatternTree {
        let scalar = try take()
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case "\\":
            if skip("b") { return .atBoundary(isNegated: false) }
            if skip("B") { return .atBoundary(isNegated: true) }
            return .set(try escape())
        case ".": return .set(ScalarSet("\n", ignoringCase: false).negated())
        case "^": return .atStart
        case "$": return .atEnd
        case "*", "+", "?", "{", "}":
            position -= 1
            throw error("'\(scalar)' repeats nothing")
        default: return .set(ScalarSet(scalar, ignoringCase: ignoresCase))
        }
    }

    private mutating func group() throws(TokenizerError) -> PatternTree {
        depth += 1
        guard depth <= Self.depthMax else { throw error("nests deeper than \(Self.depthMax)") }
        let outer = ignoresCase
        defer {
            ignoresCase = outer
            depth -= 1
        }
        let isAhead = skip("?=")
        let isNotAhead = !isAhead && skip("?!")
        if !isAhead, !isNotAhead {
            if skip("?i:") {
                ignoresCase = true
            } else if !skip("?:"), current == "?" {
                throw error("groups are ( (?: (?i: (?= (?!")
            }
        }
        let tree = try choice()
        guard skip(")") else { throw error("needs ')'") }
        return isAhead || isNotAhead ? .lookAhead(tree, isNegated: isNotAhead) : tree
    }

    /// Reads a class after its opening bracket.
    private mutating func characterClass() throws(TokenizerError) -> ScalarSet {
        depth += 1
        guard depth <= Self.depthMax else { throw error("nests deeper than \(Self.depthMax)") }
        defer { depth -= 1 }
        let isNegated = skip("^")
        var set = ScalarSet()
        var isFirst = true
        while current != "]" || isFirst {
            isFirst = false
            try member(into: &set)
        }
        position += 1
        return isNegated ? set.negated() : set
    }

    private mutating func member(into set: inout ScalarSet) throws(TokenizerError) {
        if current == "&", skip("&&") { throw error("'&&' is not supported") }
        if skip("[") {
            guard set.formUnion(try characterClass()) else {
                throw error("a negated class within a class is not supported")
            }
            return
        }
        let start = position
        let first = try take()
        var low = first
        if first == "\\" {
            guard let literal = try literalEscape() else {
                position = start + 1
                guard set.formUnion(try escape()) else {
                    throw error("a negated class within a class is not supported")
                }
                return
            }
            low = literal
        }
        let high = try upperBound() ?? low
        guard low <= high else { throw error("a range runs backwards") }
        set.insert(low.value...high.value, ignoringCase: ignoresCase)
    }

    /// Reads the end of a range if there is one.
    private mutating func upperBound() throws(TokenizerError) -> Unicode.Scalar? {
        guard current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
            return nil
        }
        position += 1
        let scalar = try take()
        guard scalar == "\\" else { return scalar }
        guard let literal = try literalEscape() else { throw error("a range ends in a class") }
        return literal
    }

    /// Reads what stands after a backslash if it means one scalar.
    private mutating func literalEscape() throws(TokenizerError) -> Unicode.Scalar? {
        let scalar = try take()
        switch scalar {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "f": return "\u{c}"
        case "v": return "\u{b}"
        case "x", "u": return try hexadecimal(width: scalar == "x" ? 2 : 4)
        case "s", "S", "d", "D", "w", "W", "p", "P": return nil
        case _
        where scalar.isASCII && !scalar.properties.isAlphabetic
            && !("0"..."9").contains(scalar):
            return scalar
        default:
            throw error("unknown escape '\\\(scalar)'")
        }
    }

    private mutating func hexadecimal(width: Int) throws(TokenizerError) -> Unicode.Scalar {
        let isBraced = skip("{")
        let digits = scalars[position...].prefix(isBraced ? 6 : width)
            .prefix { $0.properties.isASCIIHexDigit }
        position += digits.count
        guard let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16),
            let scalar = Unicode.Scalar(value), !isBraced || skip("}")
        else { throw error("needs hexadecimal digits") }
        return scalar
    }

    /// Reads what stands after a backslash.
    private mutating func escape() throws(TokenizerError) -> ScalarSet {
        if let scalar = try literalEscape() {
            return ScalarSet(scalar, ignoringCase: ignoresCase)
        }
        let letter = scalars[position - 1]
        let kinds: UInt64
        switch letter {
        case "s", "S": kinds = ScalarKinds.whitespace
        case "d", "D": kinds = ScalarKinds.kinds(ofCategory: "Nd") ?? 0
        case "w", "W": kinds = ScalarSet.wordKinds
        default: kinds = try property()
        }
        return ("A"..."Z").contains(letter) ? Self.all(but: kinds) : ScalarSet(kinds: kinds)
    }

    /// The opposite as a plain set of kinds, so that it can be a part of a class.
    private static func all(but kinds: UInt64) -> ScalarSet { ScalarSet(kinds: ~kinds) }

    private mutating func property() throws(TokenizerError) -> UInt64 {
        guard skip("{") else { throw error("needs {category} after \\p") }
        let name = scalars[position...].prefix { $0 != "}" }
        position += name.count + 1
        guard position <= scalars.count,
            let kinds = ScalarKinds.kinds(ofCategory: String(String.UnicodeScalarView(name)))
        else { throw error("unknown category; L, Lu, N, Nd, P and so on are supported") }
        return kinds
    }
}

extension ScalarSet {
    fileprivate static let wordKinds = ["L", "M", "Nd", "Nl", "Pc"].reduce(UInt64(0)) {
        $0 | (ScalarKinds.kinds(ofCategory: $1) ?? 0)
    }

    /// What `\w` stands for.
    static let word = ScalarSet(kinds: wordKinds)
}
