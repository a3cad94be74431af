/// A word, a number or one punctuation character of Swift or C code.
struct Token {
    let text: String
    /// Counted from 1.
    let line: Int
    /// Whether the token before it stands on an earlier line.
    let startsLine: Bool
    /// Whether nothing separates it from the token before it.
    let touchesPrevious: Bool
}

/// The tokens of a Swift or C file, with comments and the text of strings left out.
struct Lexer {
    private(set) var tokens: [Token] = []
    /// Lines that a `///` comment stands on.
    private(set) var documentedLines: Set<Int> = []
    /// Lines that any comment stands on.
    private(set) var commentedLines: Set<Int> = []

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var lastTokenLine = 0
    private var lastTokenEnd = -1

    init(_ file: SourceFile) {
        bytes = Array(file.lines.joined(separator: "\n").utf8)
        readCode(untilClosingParenthesis: false)
    }

    private func byte(_ ahead: Int = 0) -> UInt8 {
        position + ahead < bytes.count ? bytes[position + ahead] : 0
    }

    /// Reads to the end, or to the `)` that closes an interpolation.
    private mutating func readCode(untilClosingParenthesis: Bool) {
        var depth = 0
        while position < bytes.count {
            switch byte() {
            case UInt8(ascii: "\n"):
                line += 1
                position += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                position += 1
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
                skipLineComment()
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"):
                skipBlockComment()
            case UInt8(ascii: "\""):
                skipString(pounds: 0)
            case UInt8(ascii: "#") where poundsBeforeQuote > 0:
                let pounds = poundsBeforeQuote
                position += pounds
                skipString(pounds: pounds)
            case UInt8(ascii: "'"):
                skipCharacter()
            case let byte where Self.isWord(byte):
                readWord()
            case let byte:
                append(from: position, to: position + 1)
                depth += byte == UInt8(ascii: "(") ? 1 : byte == UInt8(ascii: ")") ? -1 : 0
                if untilClosingParenthesis, depth < 0 { return }
            }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private mutating func readWord() {
        var end = position
        while end < bytes.count, Self.isWord(bytes[end]) { end += 1 }
        append(from: position, to: end)
    }

    private mutating func append(from start: Int, to end: Int) {
        tokens.append(
            Token(
                text: String(decoding: bytes[start..<end], as: UTF8.self), line: line,
                startsLine: line != lastTokenLine, touchesPrevious: start == lastTokenEnd))
        (lastTokenLine, lastTokenEnd, position) = (line, end, end)
    }

    private mutating func skipLineComment() {
        commentedLines.insert(line)
        if byte(2) == UInt8(ascii: "/"), byte(3) != UInt8(ascii: "/") {
            documentedLines.insert(line)
        }
        while position < bytes.count, byte() != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            commentedLines.insert(line)
            if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                (depth, position) = (depth + 1, position + 2)
            } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                (depth, position) = (depth - 1, position + 2)
            } else {
                line += byte() == UInt8(ascii: "\n") ? 1 : 0
                position += 1
            }
        } while depth > 0 && position < bytes.count
    }

    /// How many `#` stand here before a quote; 0 if something else follows them.
    private var poundsBeforeQuote: Int {
        var count = 0
        while byte(count) == UInt8(ascii: "#") { count += 1 }
        return byte(count) == UInt8(ascii: "\"") ? count : 0
    }

    /// Skips a string from its opening quote, reading the code of its interpolations.
    private mutating func skipString(pounds: Int) {
        let isMultiline = byte(1) == UInt8(ascii: "\"") && byte(2) == UInt8(ascii: "\"")
        let quotes = isMultiline ? 3 : 1
        position += quotes
        while position < bytes.count {
            if isRun(of: "\"", count: quotes, at: 0), isRun(of: "#", count: pounds, at: quotes) {
                position += quotes + pounds
                return
            }
            if byte() == UInt8(ascii: "\\"), isRun(of: "#", count: pounds, at: 1) {
                position += 1 + pounds
                if byte() == UInt8(ascii: "(") {
                    position += 1
                    readCode(untilClosingParenthesis: true)
                    continue
                }
            }
            if byte() == UInt8(ascii: "\n") {
                line += 1
                // A string that does not end is not Swift: start afresh rather than lose the file.
                if !isMultiline { position += 1; return }
            }
            position += 1
        }
    }

    private func isRun(of character: Unicode.Scalar, count: Int, at ahead: Int) -> Bool {
        (ahead..<ahead + count).allSatisfy { byte($0) == UInt8(ascii: character) }
    }

    /// Skips a C character such as `'"'`.
    private mutating func skipCharacter() {
        position += 1
        while position < bytes.count, byte() != UInt8(ascii: "'"), byte() != UInt8(ascii: "\n") {
            position += byte() == UInt8(ascii: "\\") ? 2 : 1
        }
        if byte() == UInt8(ascii: "'") { position += 1 }
    }
}
