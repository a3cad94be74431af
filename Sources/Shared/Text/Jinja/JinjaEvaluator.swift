/// Expressions.
extension JinjaRenderer {
    mutating func evaluate(_ expression: JinjaExpression) throws(TemplateError) -> JinjaValue {
        try spend(at: expression.line)
        switch expression.node {
        case .literal(let value): return value
        case .name(let name): return variable(name)
        case .list(let items): return try list(try evaluate(all: items))
        case .object(let members): return try object(members)
        case .attribute(let base, let name): return try member(of: try evaluate(base), name)
        case .item(let base, let index):
            return try item(of: try evaluate(base), try evaluate(index))
        case .slice(let base, let bounds): return try slice(try evaluate(base), bounds)
        case .call(let callee, let arguments):
            return try call(callee, try values(of: arguments), at: expression.line)
        case .filter(let base, let name, let arguments):
            let value = try evaluate(base)
            let arguments = try values(of: arguments)
            line = expression.line
            return try filter(name, value, arguments)
        case .test(let base, let name, let arguments, let isNegated):
            let value = try evaluate(base)
            return .bool(try test(name, value, try values(of: arguments).plain) != isNegated)
        case .not(let value): return .bool(!(try evaluate(value).isTrue))
        case .negative(let value): return try negative(try evaluate(value))
        case .binary(let name, let left, let right): return try binary(name, left, right)
        case .either(let value, let condition, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(value) }
            return try otherwise.map { expression throws(TemplateError) in
                try evaluate(expression)
            } ?? .undefined("")
        }
    }

    /// Arguments of a call as values.
    struct Values {
        var plain: [JinjaValue] = []
        var named: [(String, JinjaValue)] = []

        /// The argument at `index` or of this name.
        func value(_ index: Int, _ name: String) -> JinjaValue? {
            plain.indices.contains(index) ? plain[index] : named.first { $0.0 == name }?.1
        }

        /// The same as a string's text; nil if it is none.
        func text(_ index: Int, _ name: String) -> String? {
            guard case .text(let text) = value(index, name) else { return nil }
            return text.text
        }
    }

    private mutating func values(
        of arguments: JinjaExpression.Arguments
    ) throws(TemplateError) -> Values {
        var values = Values(plain: try evaluate(all: arguments.plain))
        for (name, expression) in arguments.named {
            values.named.append((name, try evaluate(expression)))
        }
        return values
    }

    private mutating func evaluate(
        all expressions: [JinjaExpression]
    ) throws(TemplateError) -> [JinjaValue] {
        var values: [JinjaValue] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private mutating func object(
        _ members: [(JinjaExpression, JinjaExpression)]
    ) throws(TemplateError) -> JinjaValue {
        var values: [(String, JinjaValue)] = []
        for (key, value) in members {
            guard case .text(let key) = try evaluate(key) else {
                throw wrong("names in a mapping are strings here")
            }
            values.append((key.text, try evaluate(value)))
        }
        let object = JinjaObject(values)
        try checkDepth(object.depth)
        return .object(object)
    }

    // MARK: Members

    /// `base.name`.
    func member(of base: JinjaValue, _ name: String) throws(TemplateError) -> JinjaValue {
        switch base {
        case .object(let object): return object[name] ?? .undefined(name)
        case .namespace(let space): return space.members[name] ?? .undefined(name)
        case .undefined: throw wrong("'\(name)' of \(base.kindName)")
        default: return .undefined(name)
        }
    }

    private func item(
        of base: JinjaValue, _ index: JinjaValue
    ) throws(TemplateError) -> JinjaValue {
        switch (base, index) {
        case (.list(let list), _):
            guard let index = index.wholeNumber else { return .undefined("item") }
            let place = index < 0 ? list.items.count + index : index
            return list.items.indices.contains(place)
                ? list.items[place] : .undefined("item \(index)")
        case (.text(let text), .int(let index)):
            let scalars = Array(text.text.unicodeScalars)
            let place = index < 0 ? scalars.count + index : index
            guard scalars.indices.contains(place) else { return .undefined("item \(index)") }
            return .text(MarkedText(String(Character(scalars[place])), isContent: text.hasContent))
        case (_, .text(let name)): return try member(of: base, name.text)
        case (.undefined, _): throw wrong("an item of \(base.kindName)")
        default: return .undefined("item")
        }
    }

    private mutating func slice(
        _ base: JinjaValue, _ bounds: JinjaExpression.Bounds
    ) throws(TemplateError) -> JinjaValue {
        var numbers: [Int?] = []
        for bound in [bounds.from, bounds.to, bounds.by] {
            guard let bound else {
                numbers.append(nil)
                continue
            }
            let value = try evaluate(bound)
            if case .none = value {
                numbers.append(nil)
            } else {
                guard let number = value.wholeNumber else {
                    throw wrong("a slice needs whole numbers, has \(value.kindName)")
                }
                numbers.append(number)
            }
        }
        let step = numbers[2] ?? 1
        guard step != 0, step > -1_000_000, step < 1_000_000 else {
            throw wrong("a slice by \(step)")
        }
        if case .text(let text) = base {
            try spend(text.text.utf8.count)
            let scalars = Array(text.text.unicodeScalars)
            let places = Self.places(numbers[0], numbers[1], step, count: scalars.count)
            let part = String(String.UnicodeScalarView(places.map { scalars[$0] }))
            return .text(MarkedText(part, isContent: text.hasContent))
        }
        let items = try self.items(of: base)
        return try list(
            Self.places(numbers[0], numbers[1], step, count: items.count).map { items[$0] })
    }

    /// The places that a slice takes, as Python does.
    private static func places(_ from: Int?, _ to: Int?, _ step: Int, count: Int) -> [Int] {
        let clamp = { (place: Int) in
            let place = place < 0 ? max(place, -count - 1) + count : place
            return step > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
        }
        let start = from.map(clamp) ?? (step > 0 ? 0 : count - 1)
        let end = to.map(clamp) ?? (step > 0 ? count : -1)
        return Array(stride(from: start, to: end, by: step))
    }

    // MARK: Operators

    private func negative(_ value: JinjaValue) throws(TemplateError) -> JinjaValue {
        switch value {
        case .int(let number) where number != .min: return .int(-number)
        case .double(let number): return .double(-number)
        default: throw wrong("'-' before \(value.kindName)")
        }
    }

    private mutating func binary(
        _ name: String, _ left: JinjaExpression, _ right: JinjaExpression
    ) throws(TemplateError) -> JinjaValue {
        let first = try evaluate(left)
        if name == "and" { return first.isTrue ? try evaluate(right) : first }
        if name == "or" { return first.isTrue ? first : try evaluate(right) }
        let second = try evaluate(right)
        line = left.line
        switch name {
        case "==": return .bool(try equal(first, second))
        case "!=": return .bool(!(try equal(first, second)))
        case "in": return .bool(try contains(second, first))
        case "not in": return .bool(!(try contains(second, first)))
        case "~": return try join(try text(of: first), try text(of: second))
        case "<", ">", "<=", ">=": return .bool(try compare(name, first, second))
        default: return try arithmetic(name, first, second)
        }
    }

    private mutating func join(
        _ a: MarkedText, _ b: MarkedText
    ) throws(TemplateError) -> JinjaValue {
        try spend(a.text.utf8.count + b.text.utf8.count)
        return .text(a + b)
    }

    mutating func equal(_ a: JinjaValue, _ b: JinjaValue) throws(TemplateError) -> Bool {
        try spend()
        switch (a, b) {
        case (.none, .none), (.undefined, .undefined): return true
        case (.text(let a), .text(let b)): return a.text.utf8.elementsEqual(b.text.utf8)
        case (.list(let a), .list(let b)):
            guard a.items.count == b.items.count else { return false }
            for (first, second) in zip(a.items, b.items) where !(try equal(first, second)) {
                return false
            }
            return true
        case (.object(let a), .object(let b)):
            guard a.members.count == b.members.count else { return false }
            for (key, value) in a.members {
                guard let other = b[key], try equal(value, other) else { return false }
            }
            return true
        case (.namespace(let a), .namespace(let b)): return a === b
        default:
            guard let a = a.number, let b = b.number else { return false }
            return a == b
        }
    }

    mutating func contains(
        _ container: JinjaValue, _ item: JinjaValue
    ) throws(TemplateError) -> Bool {
        switch (container, item) {
        case (.text(let text), .text(let part)):
            try spend(text.text.utf8.count)
            return part.text.isEmpty
                || text.text.utf8Range(of: part.text, from: text.text.startIndex) != nil
        case (.object(let object), .text(let key)): return object[key.text] != nil
        case (.list(let list), _):
            for element in list.items where try equal(element, item) { return true }
            return false
        case (.undefined, _), (.object, _): return false
        default: throw wrong("'in' needs a list, mapping or string, has \(container.kindName)")
        }
    }

    func compare(
        _ name: String, _ a: JinjaValue, _ b: JinjaValue
    ) throws(TemplateError) -> Bool {
        let order: (isLess: Bool, isEqual: Bool)
        if let a = a.number, let b = b.number {
            order = (a < b, a == b)
        } else if case .text(let a) = a, case .text(let b) = b {
            let (a, b) = (a.text.unicodeScalars, b.text.unicodeScalars)
            order = (a.lexicographicallyPrecedes(b), a.elementsEqual(b))
        } else {
            throw wrong("'\(name)' between \(a.kindName) and \(b.kindName)")
        }
        switch name {
        case "<": return order.isLess
        case "<=": return order.isLess || order.isEqual
        case ">": return !order.isLess && !order.isEqual
        default: return !order.isLess
        }
    }

    private mutating func arithmetic(
        _ name: String, _ a: JinjaValue, _ b: JinjaValue
    ) throws(TemplateError) -> JinjaValue {
        switch (name, a, b) {
        case ("+", .text(let a), .text(let b)): return try join(a, b)
        case ("+", .list(let a), .list(let b)): return try list(a.items + b.items)
        case ("*", .text(let text), .int(let count)): return try repeated(text, count)
        default: break
        }
        if let a = a.wholeNumber, let b = b.wholeNumber, name != "/" {
            guard let result = Self.whole(name, a, b) else { throw wrong("\(a) \(name) \(b)") }
            return .int(result)
        }
        guard let x = a.number, let y = b.number else {
            throw wrong("'\(name)' between \(a.kindName) and \(b.kindName)")
        }
        switch name {
        case "+": return .double(x + y)
        case "-": return .double(x - y)
        case "*": return .double(x * y)
        default:
            guard y != 0 else { throw wrong("division by zero") }
            if name == "/" { return .double(x / y) }
            let quotient = (x / y).rounded(.down)
            return .double(name == "//" ? quotient : x - quotient * y)
        }
    }

    /// Whole numbers; nil if the result does not fit. Division rounds down, as in Python.
    private static func whole(_ name: String, _ a: Int, _ b: Int) -> Int? {
        let checked = { (result: (partialValue: Int, overflow: Bool)) in
            result.overflow ? nil : result.partialValue
        }
        switch name {
        case "+": return checked(a.addingReportingOverflow(b))
        case "-": return checked(a.subtractingReportingOverflow(b))
        case "*": return checked(a.multipliedReportingOverflow(by: b))
        default:
            guard b != 0, b != -1 || a != .min else { return nil }
            let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
            let isBelow = rest != 0 && (rest < 0) != (b < 0)
            return name == "//" ? quotient - (isBelow ? 1 : 0) : isBelow ? rest + b : rest
        }
    }

    private mutating func repeated(
        _ text: MarkedText, _ count: Int
    ) throws(TemplateError) -> JinjaValue {
        let count = max(count, 0)
        let (bytes, isTooLarge) = text.text.utf8.count.multipliedReportingOverflow(by: count)
        try spend(isTooLarge ? .max : bytes)
        return .text(text.changed { String(repeating: $0, count: count) })
    }
}
