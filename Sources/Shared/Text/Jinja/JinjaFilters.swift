/// Filters and tests.
extension JinjaRenderer {
    private static let textFilters: [String: @Sendable (String) -> String] = [
        "upper": { $0.uppercased() }, "lower": { $0.lowercased() },
        "title": { $0.titled { $0.isWhitespace || "-({[<".contains($0) } },
        "capitalize": { $0.capitalizedFirst },
    ]

    private static let filterNames = [
        "capitalize", "count", "default", "first", "float", "int", "items", "join", "last",
        "length", "list", "lower", "map", "reject", "rejectattr", "replace", "reverse", "safe",
        "select", "selectattr", "string", "title", "tojson", "trim", "upper",
    ]

    mutating func filter(
        _ name: String, _ value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        if let change = Self.textFilters[name] {
            let text = try text(of: value)
            try spend(text.text.utf8.count)
            return .text(text.changed(change))
        }
        switch name {
        case "trim": return .text(try strip(try text(of: value), arguments))
        case "string": return .text(try text(of: value))
        case "safe": return value
        case "length", "count": return .int(try count(of: value))
        case "tojson":
            let indent = arguments.value(0, "indent")?.wholeNumber
            return .text(try json(of: value, indent: indent.map { min(max($0, 0), 32) }))
        case "default", "d": return try fallback(value, arguments)
        case "replace": return try replaced(try text(of: value), arguments)
        case "int":
            return .int(Self.whole(value) ?? arguments.value(0, "default")?.wholeNumber ?? 0)
        case "float":
            return .double(Self.number(value) ?? arguments.value(0, "default")?.number ?? 0)
        default: return try listFilter(name, value, arguments)
        }
    }

    private mutating func listFilter(
        _ name: String, _ value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        switch name {
        case "first": return try items(of: value).first ?? .undefined("first")
        case "last": return try items(of: value).last ?? .undefined("last")
        case "list": return try list(try items(of: value))
        case "reverse": return try reversed(value)
        case "items": return try pairs(of: value)
        case "join": return try joined(value, arguments)
        case "map": return try mapped(value, arguments)
        case "select", "selectattr": return try selected(name, value, arguments, keeps: true)
        case "reject", "rejectattr": return try selected(name, value, arguments, keeps: false)
        default:
            throw .unsupported(line: line, seen: "filter '\(name)'", allowed: Self.filterNames)
        }
    }

    private mutating func fallback(
        _ value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        let other = arguments.value(0, "default_value") ?? .string("")
        if case .undefined = value { return other }
        let replacesFalse = arguments.value(1, "boolean")?.isTrue ?? false
        return replacesFalse && !value.isTrue ? other : value
    }

    private static func whole(_ value: JinjaValue) -> Int? {
        if case .text(let text) = value { return Int(text.trimmed().text) }
        if case .double(let number) = value { return Int(exactly: number.rounded(.towardZero)) }
        return value.wholeNumber
    }

    private static func number(_ value: JinjaValue) -> Double? {
        if case .text(let text) = value { return Double(text.trimmed().text) }
        return value.number
    }

    private func count(of value: JinjaValue) throws(TemplateError) -> Int {
        switch value {
        case .text(let text): return text.text.unicodeScalars.count
        case .list(let list): return list.items.count
        case .object(let object): return object.members.count
        case .undefined: return 0
        default: throw wrong("the length of \(value.kindName)")
        }
    }

    private mutating func reversed(_ value: JinjaValue) throws(TemplateError) -> JinjaValue {
        guard case .text(let text) = value else { return try list(try items(of: value).reversed()) }
        try spend(text.text.utf8.count)
        return .text(
            text.changed { String(String.UnicodeScalarView($0.unicodeScalars.reversed())) })
    }

    /// The members of a mapping as pairs.
    mutating func pairs(of value: JinjaValue) throws(TemplateError) -> JinjaValue {
        guard case .object(let object) = value else {
            throw wrong("the items of \(value.kindName)")
        }
        var pairs: [JinjaValue] = []
        for (key, value) in object.members { pairs.append(try list([.string(key), value])) }
        return try list(pairs)
    }

    private mutating func joined(
        _ value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        let separator = MarkedText(arguments.text(0, "d") ?? "")
        var (result, isFirst) = (MarkedText(""), true)
        let attribute = arguments.text(1, "attribute")
        for item in try items(of: value) {
            if !isFirst { result = result + separator }
            isFirst = false
            let item =
                try attribute.map { name throws(TemplateError) in try member(of: item, name) }
                ?? item
            let text = try text(of: item)
            // The sum so far is copied each time.
            try spend(
                result.text.utf8.count / 16 + text.text.utf8.count + separator.text.utf8.count)
            result = result + text
        }
        return .text(result)
    }

    private mutating func mapped(
        _ value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        var results: [JinjaValue] = []
        for item in try items(of: value) {
            try spend()
            if case .text(let name) = arguments.named.first(where: { $0.0 == "attribute" })?.1 {
                let found = try member(of: item, name.text)
                if case .undefined = found,
                    let other = arguments.named.first(where: { $0.0 == "default" })
                {
                    results.append(other.1)
                } else {
                    results.append(found)
                }
            } else if let name = arguments.text(0, "") {
                let rest = Values(plain: Array(arguments.plain.dropFirst()), named: arguments.named)
                results.append(try filter(name, item, rest))
            } else {
                throw wrong("'map' needs attribute='name' or the name of a filter")
            }
        }
        return try list(results)
    }

    private mutating func selected(
        _ name: String, _ value: JinjaValue, _ arguments: Values, keeps: Bool
    ) throws(TemplateError) -> JinjaValue {
        var rest = arguments.plain[...]
        var attribute: String?
        if name.hasSuffix("attr") {
            guard case .text(let text) = rest.popFirst() else {
                throw wrong("'\(name)' needs a name")
            }
            attribute = text.text
        }
        var testName: String?
        if case .text(let text) = rest.popFirst() { testName = text.text }
        var kept: [JinjaValue] = []
        for item in try items(of: value) {
            try spend()
            let tested =
                try attribute.map { name throws(TemplateError) in try member(of: item, name) }
                ?? item
            let holds =
                try testName.map { name throws(TemplateError) in try test(name, tested, Array(rest))
                }
                ?? tested.isTrue
            if holds == keeps { kept.append(item) }
        }
        return try list(kept)
    }

    // MARK: Tests

    private static let comparisons = [
        "lt": "<", "lessthan": "<", "le": "<=", "gt": ">", "greaterthan": ">", "ge": ">=", "<": "<",
        "<=": "<=", ">": ">", ">=": ">=",
    ]

    private static let testNames = [
        "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "gt",
        "in", "integer", "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd",
        "sameas", "sequence", "string", "true", "undefined", "upper",
    ]

    mutating func test(
        _ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]
    ) throws(TemplateError) -> Bool {
        if let holds = Self.kindTest(name, value) { return holds }
        guard let other = arguments.first else {
            throw .unsupported(line: line, seen: "test '\(name)'", allowed: Self.testNames)
        }
        if let comparison = Self.comparisons[name] { return try compare(comparison, value, other) }
        switch name {
        case "equalto", "eq", "==", "sameas": return try equal(value, other)
        case "ne", "!=": return !(try equal(value, other))
        case "in": return try contains(other, value)
        case "divisibleby":
            guard let a = value.wholeNumber, let b = other.wholeNumber, b != 0 else {
                throw wrong("'divisibleby' needs whole numbers")
            }
            return b == -1 || a % b == 0
        default:
            throw .unsupported(line: line, seen: "test '\(name)'", allowed: Self.testNames)
        }
    }

    /// Tests without an argument; nil if `name` is none of them.
    private static func kindTest(_ name: String, _ value: JinjaValue) -> Bool? {
        switch (name, value) {
        case ("defined", .undefined), ("undefined", .undefined): return name == "undefined"
        case ("defined", _), ("undefined", _): return name == "defined"
        case ("none", .none), ("boolean", .bool), ("integer", .int), ("float", .double),
            ("number", .int), ("number", .double), ("string", .text), ("mapping", .object),
            ("sequence", .text), ("sequence", .list), ("sequence", .object), ("iterable", .text),
            ("iterable", .list), ("iterable", .object):
            return true
        case ("true", .bool(let truth)): return truth
        case ("false", .bool(let truth)): return !truth
        case ("odd", .int(let number)): return number % 2 != 0
        case ("even", .int(let number)): return number % 2 == 0
        case ("upper", .text(let text)): return text.text == text.text.uppercased()
        case ("lower", .text(let text)): return text.text == text.text.lowercased()
        case ("none", _), ("boolean", _), ("integer", _), ("float", _), ("number", _),
            ("string", _), ("mapping", _), ("sequence", _), ("iterable", _), ("true", _),
            ("false", _), ("odd", _), ("even", _), ("upper", _), ("lower", _):
            return false
        default: return nil
        }
    }
}
