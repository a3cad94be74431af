/// Builds an expression from the words of a tag, by descent through the ranks of operators.
struct JinjaExpressionParser {
    private let tokens: [JinjaToken]
    private var position = 0
    private var depth = 0
    private var nodes = 0
    /// The word that a block ended with.
    var word = ""

    private static let depthMax = 40
    /// Bounds how deep chains of operators become.
    private static let nodesMax = 500

    init(_ tokens: [JinjaToken]) { self.tokens = tokens }

    /// The line of the next word.
    var line: Int {
        (position < tokens.count ? tokens[position] : tokens.last)?.line ?? 1
    }

    private var current: JinjaToken.Kind? {
        position < tokens.count ? tokens[position].kind : nil
    }

    mutating func skip(symbol: String) -> Bool {
        guard current == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func skip(name: String) -> Bool {
        guard current == .name(name) else { return false }
        position += 1
        return true
    }

    mutating func name() throws(TemplateError) -> String {
        guard case .name(let name) = current else {
            throw .syntax(line: line, why: "needs a name, has \(seen)")
        }
        position += 1
        return name
    }

    /// `a` or `a, b`.
    mutating func names() throws(TemplateError) -> [String] {
        let isGrouped = skip(symbol: "(")
        var names = [try name()]
        while skip(symbol: ",") { names.append(try name()) }
        if isGrouped { try need(")") }
        return names
    }

    /// Everything that is left, as one expression.
    mutating func whole() throws(TemplateError) -> JinjaExpression {
        let expression = try self.expression()
        guard current == .symbol(",") else {
            try end()
            return expression
        }
        var items = [expression]
        while skip(symbol: ",") {
            if current == nil { break }
            items.append(try self.expression())
        }
        try end()
        return try make(.list(items))
    }

    mutating func end() throws(TemplateError) {
        if current != nil { throw .syntax(line: line, why: "unexpected \(seen)") }
    }

    /// An expression that ends before `if`.
    mutating func withoutCondition() throws(TemplateError) -> JinjaExpression { try or() }

    private var seen: String {
        switch current {
        case .name(let text), .symbol(let text): "'\(text)'"
        case .string(let text): "the string '\(text.prefix(40))'"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case nil: "the end of the tag"
        }
    }

    private mutating func need(_ symbol: String) throws(TemplateError) {
        guard skip(symbol: symbol) else {
            throw .syntax(line: line, why: "needs '\(symbol)', has \(seen)")
        }
    }

    private mutating func make(
        _ node: JinjaExpression.Node
    ) throws(TemplateError) -> JinjaExpression {
        nodes += 1
        guard nodes <= Self.nodesMax else {
            throw .overLimit(line: line, what: "parts of an expression", max: Self.nodesMax)
        }
        return JinjaExpression(line: line, node: node)
    }

    private mutating func expression() throws(TemplateError) -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw .overLimit(line: line, what: "nested expressions", max: Self.depthMax)
        }
        let value = try or()
        guard skip(name: "if") else { return value }
        let condition = try or()
        let otherwise = skip(name: "else") ? try expression() : nil
        return try make(.either(value, if: condition, otherwise: otherwise))
    }

    private mutating func or() throws(TemplateError) -> JinjaExpression {
        var left = try and()
        while skip(name: "or") { left = try make(.binary("or", left, try and())) }
        return left
    }

    private mutating func and() throws(TemplateError) -> JinjaExpression {
        var left = try not()
        while skip(name: "and") { left = try make(.binary("and", left, try not())) }
        return left
    }

    private mutating func not() throws(TemplateError) -> JinjaExpression {
        var negations = 0
        while skip(name: "not") { negations += 1 }
        let value = try comparison()
        guard negations > 0 else { return value }
        let once = try make(.not(value))
        return negations % 2 == 1 ? once : try make(.not(once))
    }

    private mutating func comparison() throws(TemplateError) -> JinjaExpression {
        let first = try sum()
        var (left, result) = (first, JinjaExpression?.none)
        while let name = comparator() {
            let right = try sum()
            let term = try make(.binary(name, left, right))
            // `a < b < c` means both.
            if let before = result {
                result = try make(.binary("and", before, term))
            } else {
                result = term
            }
            left = right
        }
        return result ?? first
    }

    private mutating func comparator() -> String? {
        for symbol in ["==", "!=", "<=", ">=", "<", ">"] where skip(symbol: symbol) {
            return symbol
        }
        if skip(name: "in") { return "in" }
        if current == .name("not"), position + 1 < tokens.count,
            tokens[position + 1].kind == .name("in")
        {
            position += 2
            return "not in"
        }
        return nil
    }

    private mutating func sum() throws(TemplateError) -> JinjaExpression {
        var left = try joined()
        while true {
            if skip(symbol: "+") {
                left = try make(.binary("+", left, try joined()))
            } else if skip(symbol: "-") {
                left = try make(.binary("-", left, try joined()))
            } else {
                return left
            }
        }
    }

    private mutating func joined() throws(TemplateError) -> JinjaExpression {
        var left = try product()
        while skip(symbol: "~") { left = try make(.binary("~", left, try product())) }
        return left
    }

    private mutating func product() throws(TemplateError) -> JinjaExpression {
        var left = try signed()
        while true {
            guard let name = ["*", "//", "/", "%"].first(where: { current == .symbol($0) }) else {
                return left
            }
            position += 1
            left = try make(.binary(name, left, try signed()))
        }
    }

    private mutating func signed() throws(TemplateError) -> JinjaExpression {
        var isNegative = false
        while current == .symbol("-") || current == .symbol("+") {
            if current == .symbol("-") { isNegative.toggle() }
            position += 1
        }
        let value = try power()
        return try filtered(isNegative ? try make(.negative(value)) : value)
    }

    private mutating func power() throws(TemplateError) -> JinjaExpression {
        let base = try postfix()
        guard current == .symbol("**") else { return base }
        throw .unsupported(line: line, seen: "'**'", allowed: ["+", "-", "*", "/", "//", "%", "~"])
    }

    // MARK: Filters, tests, calls

    private mutating func filtered(
        _ value: JinjaExpression
    ) throws(TemplateError) -> JinjaExpression {
        var value = value
        while true {
            if skip(symbol: "|") {
                let name = try self.name()
                value = try make(.filter(value, name, try argumentsIfAny()))
            } else if skip(name: "is") {
                let isNegated = skip(name: "not")
                let name = try self.name()
                value = try make(.test(value, name, try testArguments(), isNegated: isNegated))
            } else {
                return value
            }
        }
    }

    private mutating func testArguments() throws(TemplateError) -> JinjaExpression.Arguments {
        switch current {
        case .symbol("("): return try argumentsIfAny()
        case .name(let name) where !Self.operatorNames.contains(name):
            return JinjaExpression.Arguments(plain: [try postfix()])
        case .string, .int, .double, .symbol("["), .symbol("{"):
            return JinjaExpression.Arguments(plain: [try postfix()])
        default: return JinjaExpression.Arguments()
        }
    }

    private mutating func argumentsIfAny() throws(TemplateError) -> JinjaExpression.Arguments {
        var arguments = JinjaExpression.Arguments()
        guard skip(symbol: "(") else { return arguments }
        while !skip(symbol: ")") {
            if case .name(let name) = current, position + 1 < tokens.count,
                tokens[position + 1].kind == .symbol("=")
            {
                position += 2
                arguments.named.append((name, try expression()))
            } else {
                arguments.plain.append(try expression())
            }
            if !skip(symbol: ",") {
                try need(")")
                break
            }
        }
        return arguments
    }

    private mutating func postfix() throws(TemplateError) -> JinjaExpression {
        var value = try primary()
        while true {
            if skip(symbol: ".") {
                if case .int(let index) = current {
                    position += 1
                    value = try make(.item(value, try make(.literal(.int(index)))))
                } else {
                    value = try make(.attribute(value, try name()))
                }
            } else if skip(symbol: "[") {
                value = try subscripted(value)
            } else if current == .symbol("(") {
                value = try make(.call(value, try argumentsIfAny()))
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(
        _ value: JinjaExpression
    ) throws(TemplateError) -> JinjaExpression {
        var bounds: [JinjaExpression?] = [nil]
        while !skip(symbol: "]") {
            if skip(symbol: ":") {
                bounds.append(nil)
            } else {
                guard bounds[bounds.count - 1] == nil else {
                    throw .syntax(line: line, why: "needs ']'")
                }
                bounds[bounds.count - 1] = try expression()
            }
        }
        if bounds.count == 1, let index = bounds[0] { return try make(.item(value, index)) }
        guard bounds.count == 2 || bounds.count == 3 else {
            throw .syntax(line: line, why: "needs [index] or [from:to:by]")
        }
        let by = bounds.count == 3 ? bounds[2] : nil
        return try make(
            .slice(value, JinjaExpression.Bounds(from: bounds[0], to: bounds[1], by: by)))
    }

    private mutating func primary() throws(TemplateError) -> JinjaExpression {
        guard let token = current else { throw .syntax(line: line, why: "needs a value") }
        position += 1
        switch token {
        case .string(let text):
            var text = text
            while case .string(let more) = current {
                text += more
                position += 1
            }
            return try make(.literal(.string(text)))
        case .int(let value): return try make(.literal(.int(value)))
        case .double(let value): return try make(.literal(.double(value)))
        case .name(let name):
            return try make(Self.constants[name].map { .literal($0) } ?? .name(name))
        case .symbol("("): return try group()
        case .symbol("["): return try make(.list(try items(until: "]")))
        case .symbol("{"): return try object()
        case .symbol:
            position -= 1
            throw .syntax(line: line, why: "unexpected \(seen)")
        }
    }

    private static let operatorNames: Set = ["and", "or", "not", "if", "else", "is", "in"]

    private static let constants: [String: JinjaValue] = [
        "true": .bool(true), "True": .bool(true), "false": .bool(false), "False": .bool(false),
        "none": .none, "None": .none,
    ]

    /// A parenthesis: one value, or a tuple, which is a list here.
    private mutating func group() throws(TemplateError) -> JinjaExpression {
        if skip(symbol: ")") { return try make(.list([])) }
        let first = try expression()
        guard skip(symbol: ",") else {
            try need(")")
            return first
        }
        return try make(.list([first] + (try items(until: ")"))))
    }

    private mutating func items(until end: String) throws(TemplateError) -> [JinjaExpression] {
        var items: [JinjaExpression] = []
        while !skip(symbol: end) {
            items.append(try expression())
            if !skip(symbol: ",") {
                try need(end)
                break
            }
        }
        return items
    }

    private mutating func object() throws(TemplateError) -> JinjaExpression {
        var members: [(JinjaExpression, JinjaExpression)] = []
        while !skip(symbol: "}") {
            let key = try expression()
            try need(":")
            members.append((key, try expression()))
            if !skip(symbol: ",") {
                try need("}")
                break
            }
        }
        return try make(.object(members))
    }
}
