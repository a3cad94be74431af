/// Builds statements and expressions.
struct JinjaParser {
    private let parts: [JinjaLexer.Part]
    private var next = 0
    private var depth = 0

    private static let depthMax = 40

    init(_ source: String) throws(TemplateError) {
        var lexer = try JinjaLexer(source)
        parts = try lexer.parse()
    }

    mutating func parse() throws(TemplateError) -> [JinjaStatement] {
        let (body, end) = try statements(until: [])
        guard end == nil else { throw .syntax(line: 1, why: "unexpected end of a block") }
        return body
    }

    /// Reads statements up to one of `ends`; gives what that one starts with.
    private mutating func statements(
        until ends: Set<String>
    ) throws(TemplateError) -> (body: [JinjaStatement], end: JinjaExpressionParser?) {
        depth += 1
        defer { depth -= 1 }
        var body: [JinjaStatement] = []
        while next < parts.count {
            let part = parts[next]
            next += 1
            switch part {
            case .text(let text): body.append(.text(text))
            case .output(let tokens):
                var parser = JinjaExpressionParser(tokens)
                body.append(.output(try parser.whole()))
            case .statement(let tokens):
                var parser = JinjaExpressionParser(tokens)
                let word = try parser.name()
                guard depth <= Self.depthMax else {
                    throw .overLimit(line: parser.line, what: "nested blocks", max: Self.depthMax)
                }
                if ends.contains(word) {
                    parser.word = word
                    return (body, parser)
                }
                body.append(try statement(word, &parser))
            }
        }
        guard ends.isEmpty else {
            throw .syntax(line: 1, why: "needs one of \(ends.sorted().joined(separator: ", "))")
        }
        return (body, nil)
    }

    private static let words = ["if", "for", "set", "break", "continue", "generation"]

    private mutating func statement(
        _ word: String, _ parser: inout JinjaExpressionParser
    ) throws(TemplateError) -> JinjaStatement {
        switch word {
        case "if": return try choice(&parser)
        case "for": return try loop(&parser)
        case "set": return try set(&parser)
        case "break": return .breakLoop
        case "continue": return .continueLoop
        // Marks what the assistant wrote; here the loss mask comes from turns.
        case "generation": return .block(try statements(until: ["endgeneration"]).body)
        case _ where word.hasPrefix("end") || word.hasPrefix("el"):
            throw .syntax(line: parser.line, why: "'\(word)' ends nothing")
        default:
            throw .unsupported(line: parser.line, seen: "statement '\(word)'", allowed: Self.words)
        }
    }

    private mutating func choice(
        _ parser: inout JinjaExpressionParser
    ) throws(TemplateError) -> JinjaStatement {
        var branches: [JinjaStatement.Branch] = []
        var condition = try parser.whole()
        while true {
            let (body, end) = try statements(until: ["elif", "else", "endif"])
            branches.append(JinjaStatement.Branch(condition: condition, body: body))
            switch end?.word {
            case "elif":
                guard var parser = end else { break }
                condition = try parser.whole()
                continue
            case "else":
                return .choice(branches, otherwise: try statements(until: ["endif"]).body)
            default: break
            }
            return .choice(branches, otherwise: [])
        }
    }

    private mutating func loop(
        _ parser: inout JinjaExpressionParser
    ) throws(TemplateError) -> JinjaStatement {
        let names = try parser.names()
        guard try parser.name() == "in" else {
            throw .syntax(line: parser.line, why: "'for' needs 'in'")
        }
        let source = try parser.withoutCondition()
        let condition = parser.skip(name: "if") ? try parser.whole() : nil
        try parser.end()
        let (body, end) = try statements(until: ["else", "endfor"])
        let otherwise = end?.word == "else" ? try statements(until: ["endfor"]).body : []
        return .loop(
            JinjaLoop(
                names: names, source: source, condition: condition, body: body,
                otherwise: otherwise))
    }

    private mutating func set(
        _ parser: inout JinjaExpressionParser
    ) throws(TemplateError) -> JinjaStatement {
        let names = try parser.names()
        let attribute = parser.skip(symbol: ".") ? try parser.name() : nil
        guard parser.skip(symbol: "=") else {
            guard names.count == 1, attribute == nil else {
                throw .syntax(line: parser.line, why: "'set' needs '='")
            }
            try parser.end()
            return .setBlock(name: names[0], try statements(until: ["endset"]).body)
        }
        return .set(names: names, attribute: attribute, try parser.whole())
    }
}
