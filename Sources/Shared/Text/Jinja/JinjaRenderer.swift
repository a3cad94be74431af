/// Renders a template: walks its statements and collects text, remembering where it came from.
///
/// Every step and every byte made is counted, so that no template runs for long or takes much
/// memory, whatever it does.
struct JinjaRenderer {
    private(set) var output: [UInt8] = []
    /// Bytes of the output that came from the conversation.
    private(set) var content: [Range<Int>] = []
    /// For each message that a loop went through, the bytes written during its turn.
    private(set) var turns: [Int: Range<Int>] = [:]
    /// Messages whose turn wrote text at several places.
    private(set) var scattered: Set<Int> = []

    private var scopes: [[String: JinjaValue]]
    private var turn: Int?
    private var stepsLeft = Self.stepsMax
    private var bytesLeft = Self.bytesMax
    /// The line of the template that is being worked on.
    var line = 1

    private static let stepsMax = 1_000_000
    private static let bytesMax = 64 << 20

    /// How a list of statements ended.
    private enum Ending { case normal, broken, continued }

    init(_ variables: [String: JinjaValue]) { scopes = [variables] }

    mutating func render(_ statements: [JinjaStatement]) throws(TemplateError) {
        _ = try run(statements)
    }

    // MARK: Limits

    /// Counts a step, and `bytes` of memory that it takes.
    mutating func spend(_ bytes: Int = 0, at line: Int? = nil) throws(TemplateError) {
        if let line { self.line = line }
        stepsLeft -= 1
        bytesLeft -= min(bytes, Self.bytesMax + 1)
        guard stepsLeft >= 0 else {
            throw .overLimit(line: self.line, what: "steps", max: Self.stepsMax)
        }
        guard bytesLeft >= 0 else {
            throw .overLimit(line: self.line, what: "bytes of values", max: Self.bytesMax)
        }
    }

    func wrong(_ why: String) -> TemplateError { .wrongValue(line: line, why: why) }

    // MARK: Variables

    func variable(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return .undefined(name)
    }

    private mutating func set(_ name: String, _ value: JinjaValue) {
        scopes[scopes.count - 1][name] = value
    }

    // MARK: Statements

    private mutating func run(_ statements: [JinjaStatement]) throws(TemplateError) -> Ending {
        for statement in statements {
            let ending = try run(statement)
            if ending != .normal { return ending }
        }
        return .normal
    }

    private mutating func run(_ statement: JinjaStatement) throws(TemplateError) -> Ending {
        switch statement {
        case .text(let text): try write(MarkedText(text))
        case .output(let expression): try write(try text(of: try evaluate(expression)))
        case .choice(let branches, let otherwise):
            for branch in branches where try evaluate(branch.condition).isTrue {
                return try run(branch.body)
            }
            return try run(otherwise)
        case .loop(let loop): try run(loop)
        case .set(let names, let attribute, let expression):
            try set(names, attribute, try evaluate(expression))
        case .setBlock(let name, let body): try capture(name, body)
        case .block(let body): return try run(body)
        case .breakLoop: return .broken
        case .continueLoop: return .continued
        }
        return .normal
    }

    private mutating func write(_ text: MarkedText) throws(TemplateError) {
        let (start, count) = (output.count, text.text.utf8.count)
        try spend(count)
        guard count > 0 else { return }
        output.append(contentsOf: text.text.utf8)
        content += text.content.map { ($0.lowerBound + start)..<($0.upperBound + start) }
        guard let turn else { return }
        if let written = turns[turn], written.upperBound != start { scattered.insert(turn) }
        turns[turn] = (turns[turn]?.lowerBound ?? start)..<output.count
    }

    private mutating func set(
        _ names: [String], _ attribute: String?, _ value: JinjaValue
    ) throws(TemplateError) {
        if let attribute {
            guard names.count == 1, case .namespace(let space) = variable(names[0]) else {
                throw wrong("only attributes of a namespace can be set, not of '\(names[0])'")
            }
            try checkDepth(value.depth)
            space.members[attribute] = value
            return
        }
        for (name, value) in try unpack(value, into: names) { set(name, value) }
    }

    private func unpack(
        _ value: JinjaValue, into names: [String]
    ) throws(TemplateError) -> [(String, JinjaValue)] {
        if names.count == 1 { return [(names[0], value)] }
        guard case .list(let list) = value, list.items.count == names.count else {
            throw wrong("\(value.kindName) does not give \(names.count) values")
        }
        return Array(zip(names, list.items))
    }

    /// Renders a block into a variable.
    private mutating func capture(
        _ name: String, _ body: [JinjaStatement]
    ) throws(TemplateError) {
        var inner = self
        (inner.output, inner.content, inner.turns) = ([], [], [:])
        _ = try inner.run(body)
        (stepsLeft, bytesLeft) = (inner.stepsLeft, inner.bytesLeft)
        let text = String(decoding: inner.output, as: UTF8.self)
        set(name, .text(MarkedText(text, isContent: !inner.content.isEmpty)))
    }

    // MARK: Loops

    private mutating func run(_ loop: JinjaLoop) throws(TemplateError) {
        var items = try self.items(of: try evaluate(loop.source))
        if let condition = loop.condition { items = try filter(items, loop.names, condition) }
        guard !items.isEmpty else {
            _ = try run(loop.otherwise)
            return
        }
        let outer = turn
        defer { turn = outer }
        for (index, item) in items.enumerated() {
            try spend()
            if case .object(let object) = item, let number = object.turn { turn = number }
            let values = try unpack(item, into: loop.names)
            scopes.append(Dictionary(values) { $1 })
            scopes[scopes.count - 1]["loop"] = Self.loopValue(items, index)
            let ending = try run(loop.body)
            scopes.removeLast()
            if ending == .broken { break }
        }
    }

    private mutating func filter(
        _ items: [JinjaValue], _ names: [String], _ condition: JinjaExpression
    ) throws(TemplateError) -> [JinjaValue] {
        var kept: [JinjaValue] = []
        for item in items {
            scopes.append(Dictionary(try unpack(item, into: names)) { $1 })
            defer { scopes.removeLast() }
            if try evaluate(condition).isTrue { kept.append(item) }
        }
        return kept
    }

    private static func loopValue(_ items: [JinjaValue], _ index: Int) -> JinjaValue {
        let last = items.count - 1
        return .object(
            JinjaObject([
                ("index", .int(index + 1)), ("index0", .int(index)),
                ("revindex", .int(last - index + 1)), ("revindex0", .int(last - index)),
                ("first", .bool(index == 0)), ("last", .bool(index == last)),
                ("length", .int(items.count)),
                ("previtem", index > 0 ? items[index - 1] : .undefined("loop.previtem")),
                ("nextitem", index < last ? items[index + 1] : .undefined("loop.nextitem")),
            ]))
    }

    /// The values that a loop goes through.
    mutating func items(of value: JinjaValue) throws(TemplateError) -> [JinjaValue] {
        switch value {
        case .list(let list): return list.items
        case .object(let object): return object.members.map { .string($0.key) }
        case .text(let text):
            try spend(text.text.utf8.count * 40)
            return text.text.unicodeScalars.map {
                .text(MarkedText(String(Character($0)), isContent: text.hasContent))
            }
        case .undefined: return []
        default: throw wrong("cannot go through \(value.kindName)")
        }
    }

    func checkDepth(_ depth: Int) throws(TemplateError) {
        guard depth < JinjaValue.depthMax else {
            throw .overLimit(line: line, what: "nested values", max: JinjaValue.depthMax)
        }
    }

    /// A list, after counting what it takes.
    mutating func list(_ items: [JinjaValue]) throws(TemplateError) -> JinjaValue {
        try spend(items.count * 64)
        let list = JinjaList(items)
        try checkDepth(list.depth)
        return .list(list)
    }
}
