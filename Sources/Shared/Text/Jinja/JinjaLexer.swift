/// Cuts a template into text, outputs and statements, with Jinja's rules for blanks as Hugging
/// Face sets them: `trim_blocks` and `lstrip_blocks`, one newline at the end of the file dropped.
struct JinjaLexer {
    /// A part of a template.
    enum Part {
        case text(String)
        case output([JinjaToken])
        case statement([JinjaToken])
    }

    private let source: [Unicode.Scalar]
    private var position = 0
    private var line = 1
    private var parts: [Part] = []
    private var text = String.UnicodeScalarView()
    /// Whether the text that is being read starts a line.
    private var startsLine = true

    static let sourceMax = 1 << 20
    private static let tagMarks: Set<Unicode.Scalar> = ["{", "%", "#"]

    init(_ source: String) throws(TemplateError) {
        var scalars: [Unicode.Scalar] = []
        guard source.utf8.count <= Self.sourceMax else {
            throw .overLimit(line: 0, what: "bytes of a template", max: Self.sourceMax)
        }
        // Line ends count as `\n`.
        for scalar in source.unicodeScalars {
            if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
            scalars.append(scalar)
        }
        self.source = scalars.map { $0 == "\r" ? "\n" : $0 }
    }

    mutating func parse() throws(TemplateError) -> [Part] {
        var end = source.count
        if source.last == "\n" { end -= 1 }
        while position < end {
            guard source[position] == "{", position + 1 < end,
                Self.tagMarks.contains(source[position + 1])
            else {
                take()
                continue
            }
            try tag(source[position + 1])
        }
        flush()
        return parts
    }

    private mutating func take() {
        if source[position] == "\n" { line += 1 }
        text.append(source[position])
        position += 1
    }

    private mutating func flush() {
        if !text.isEmpty { parts.append(.text(String(text))) }
        text = String.UnicodeScalarView()
    }

    /// Reads a tag whose second character is `kind`.
    private mutating func tag(_ kind: Unicode.Scalar) throws(TemplateError) {
        let start = line
        position += 2
        let sign = position < source.count ? source[position] : " "
        if sign == "-" {
            while let last = text.last, last.properties.isWhitespace { text.removeLast() }
        } else if sign != "+", kind != "{" {
            stripIndent()
        }
        if sign == "-" || sign == "+" { position += 1 }
        flush()
        if kind == "#" {
            try skipComment(from: start)
        } else {
            var reader = JinjaTokenReader(source, position, line)
            let tokens = try reader.read(until: kind == "{" ? "}}" : "%}")
            (position, line) = (reader.position, reader.line)
            parts.append(kind == "{" ? .output(tokens) : .statement(tokens))
        }
        finishTag(kind)
    }

    /// Drops blanks between the beginning of a line and a block's tag.
    private mutating func stripIndent() {
        let indent = text.reversed().prefix { $0 != "\n" }
        let reachesLine = indent.count < text.count || startsLine
        guard reachesLine, indent.allSatisfy({ $0.properties.isWhitespace }) else { return }
        text.removeLast(indent.count)
    }

    private mutating func skipComment(from start: Int) throws(TemplateError) {
        while position + 1 < source.count {
            if source[position] == "#", source[position + 1] == "}" {
                position += 2
                return
            }
            if source[position] == "\n" { line += 1 }
            position += 1
        }
        throw .syntax(line: start, why: "a comment does not end")
    }

    /// Drops what the end of a tag takes with it.
    private mutating func finishTag(_ kind: Unicode.Scalar) {
        let sign = position >= 3 ? source[position - 3] : " "
        startsLine = false
        if sign == "-" {
            while position < source.count, source[position].properties.isWhitespace {
                if source[position] == "\n" { line += 1 }
                startsLine = source[position] == "\n"
                position += 1
            }
        } else if kind != "{", sign != "+", position < source.count, source[position] == "\n" {
            line += 1
            position += 1
            startsLine = true
        }
    }
}

/// A word of an expression.
struct JinjaToken {
    let line: Int
    let kind: Kind

    enum Kind: Equatable {
        case name(String)
        case string(String)
        case int(Int)
        case double(Double)
        case symbol(String)
    }
}

/// Reads the words within a tag.
struct JinjaTokenReader {
    private let source: [Unicode.Scalar]
    private(set) var position: Int
    private(set) var line: Int

    init(_ source: [Unicode.Scalar], _ position: Int, _ line: Int) {
        (self.source, self.position, self.line) = (source, position, line)
    }

    private static let symbols = [
        "==", "!=", "<=", ">=", "//", "**", "<", ">", "=", "+", "-", "*", "/", "%", "~", "|", ".",
        ",", ":", "(", ")", "[", "]", "{", "}",
    ]

    private static let opening: [JinjaToken.Kind] = [.symbol("("), .symbol("["), .symbol("{")]
    private static let closing: [JinjaToken.Kind] = [.symbol(")"), .symbol("]"), .symbol("}")]

    mutating func read(until end: String) throws(TemplateError) -> [JinjaToken] {
        let start = line
        var (tokens, depth) = ([JinjaToken](), 0)
        while position < source.count {
            let scalar = source[position]
            if scalar.properties.isWhitespace {
                if scalar == "\n" { line += 1 }
                position += 1
            } else if depth == 0, skip("-" + end) || skip("+" + end) || skip(end) {
                return tokens
            } else {
                let token = JinjaToken(line: line, kind: try word())
                if Self.opening.contains(token.kind) { depth += 1 }
                if Self.closing.contains(token.kind) { depth -= 1 }
                tokens.append(token)
            }
        }
        throw .syntax(line: start, why: "a tag does not end with '\(end)'")
    }

    private mutating func skip(_ text: String) -> Bool {
        guard source[position...].starts(with: text.unicodeScalars) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    private mutating func word() throws(TemplateError) -> JinjaToken.Kind {
        let scalar = source[position]
        if scalar == "'" || scalar == "\"" { return .string(try quoted(scalar)) }
        if ("0"..."9").contains(scalar) { return try number() }
        if scalar.properties.isXIDStart || scalar == "_" { return .name(name()) }
        for symbol in Self.symbols where skip(symbol) { return .symbol(symbol) }
        throw .syntax(line: line, why: "unexpected '\(scalar)'")
    }

    private mutating func name() -> String {
        let letters = source[position...].prefix { $0.properties.isXIDContinue }
        position += letters.count
        return String(String.UnicodeScalarView(letters))
    }

    private mutating func number() throws(TemplateError) -> JinjaToken.Kind {
        let isDigit = { (scalar: Unicode.Scalar) in ("0"..."9").contains(scalar) || scalar == "_" }
        var digits = Array(source[position...].prefix(while: isDigit))
        position += digits.count
        if position + 1 < source.count, source[position] == ".", isDigit(source[position + 1]) {
            let fraction = source[(position + 1)...].prefix(while: isDigit)
            position += fraction.count + 1
            digits += ["."] + fraction
        }
        let text = String(String.UnicodeScalarView(digits.filter { $0 != "_" }))
        if let value = Int(text) { return .int(value) }
        guard text.contains("."), let value = Double(text) else {
            throw .syntax(line: line, why: "'\(text.prefix(40))' is too large a number")
        }
        return .double(value)
    }

    private mutating func quoted(_ quote: Unicode.Scalar) throws(TemplateError) -> String {
        let start = line
        var text = String.UnicodeScalarView()
        position += 1
        while position < source.count {
            let scalar = source[position]
            position += 1
            if scalar == quote { return String(text) }
            if scalar == "\n" { line += 1 }
            if scalar == "\\", position < source.count {
                escape(into: &text)
            } else {
                text.append(scalar)
            }
        }
        throw .syntax(line: start, why: "a string does not end")
    }

    /// Reads what stands after a backslash, as Python does.
    private mutating func escape(into text: inout String.UnicodeScalarView) {
        let scalar = source[position]
        position += 1
        let plain: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "b": "\u{8}", "f": "\u{c}", "v": "\u{b}", "a": "\u{7}",
            "\\": "\\", "'": "'", "\"": "\"", "0": "\0",
        ]
        let widths: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]
        if let known = plain[scalar] {
            text.append(known)
        } else if scalar == "\n" {
            line += 1
        } else if let width = widths[scalar],
            let value = UInt32(
                String(String.UnicodeScalarView(source[position...].prefix(width))), radix: 16),
            let code = Unicode.Scalar(value)
        {
            text.append(code)
            position += width
        } else {
            text.append("\\")
            text.append(scalar)
        }
    }
}
