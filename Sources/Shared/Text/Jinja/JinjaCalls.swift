/// Functions, and methods of strings and mappings.
extension JinjaRenderer {
    private static let functionNames = ["dict", "namespace", "raise_exception", "range"]

    mutating func call(
        _ callee: JinjaExpression, _ arguments: Values, at line: Int
    ) throws(TemplateError) -> JinjaValue {
        switch callee.node {
        case .name(let name):
            try spend(at: line)
            return try function(name, arguments)
        case .attribute(let base, let name):
            let value = try evaluate(base)
            try spend(at: line)
            return try method(name, of: value, arguments)
        default: throw wrong("only functions and methods can be called")
        }
    }

    private mutating func function(
        _ name: String, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        switch name {
        case "raise_exception":
            throw .raised(line: line, message: arguments.text(0, "message") ?? "")
        case "namespace":
            var members: [String: JinjaValue] = [:]
            if case .object(let object) = arguments.plain.first {
                for (key, value) in object.members { members[key] = value }
            }
            for (key, value) in arguments.named {
                try checkDepth(value.depth)
                members[key] = value
            }
            return .namespace(JinjaNamespace(members))
        case "dict":
            let object = JinjaObject(arguments.named)
            try checkDepth(object.depth)
            return .object(object)
        case "range": return try range(arguments.plain)
        default:
            throw .unsupported(line: line, seen: "function '\(name)'", allowed: Self.functionNames)
        }
    }

    private mutating func range(_ arguments: [JinjaValue]) throws(TemplateError) -> JinjaValue {
        let numbers = arguments.compactMap(\.wholeNumber)
        guard (1...3).contains(numbers.count), numbers.count == arguments.count else {
            throw wrong("'range' needs one to three whole numbers")
        }
        let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
        let step = numbers.count == 3 ? numbers[2] : 1
        let (distance, isTooFar) = end.subtractingReportingOverflow(start)
        guard step != 0, step != .min, !isTooFar, distance != .min else {
            throw wrong("'range' by \(step)")
        }
        let count = (step > 0) == (distance > 0) ? abs(distance) / abs(step) + 1 : 0
        try spend(count.multipliedReportingOverflow(by: 64).overflow ? .max : count * 64)
        return try list(stride(from: start, to: end, by: step).map { .int($0) })
    }

    private mutating func method(
        _ name: String, of value: JinjaValue, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        switch value {
        case .text(let text):
            try spend(text.text.utf8.count)
            return try textMethod(name, text, arguments)
        case .object(let object): return try objectMethod(name, object, arguments)
        default:
            throw .unsupported(
                line: line, seen: "method '\(name)' of \(value.kindName)",
                allowed: ["methods of strings and mappings"])
        }
    }

    private mutating func objectMethod(
        _ name: String, _ object: JinjaObject, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        switch name {
        case "get":
            guard let key = arguments.text(0, "key") else { throw wrong("'get' needs a name") }
            return object[key] ?? arguments.value(1, "default") ?? .none
        case "items": return try pairs(of: .object(object))
        case "keys": return try list(object.members.map { .string($0.key) })
        case "values": return try list(object.members.map(\.value))
        default:
            throw .unsupported(
                line: line, seen: "method '\(name)' of a mapping",
                allowed: ["get", "items", "keys", "values"])
        }
    }

    private static let textMethods = [
        "capitalize", "count", "endswith", "find", "join", "lower", "lstrip", "replace", "rstrip",
        "split", "startswith", "strip", "title", "upper",
    ]

    private mutating func textMethod(
        _ name: String, _ text: MarkedText, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        switch name {
        case "upper", "lower", "capitalize", "join":
            if name == "join" {
                return try filter(
                    "join", arguments.value(0, "items") ?? .none, Values(plain: [.text(text)]))
            }
            return try filter(name, .text(text), arguments)
        // Unlike the filter, the method starts a word after whatever is no letter.
        case "title": return .text(text.changed { $0.titled { !$0.isLetter } })
        case "strip": return .text(try strip(text, arguments))
        case "lstrip": return .text(try strip(text, arguments, right: false))
        case "rstrip": return .text(try strip(text, arguments, left: false))
        case "replace": return try replaced(text, arguments)
        case "split": return try list(try split(text, arguments))
        case "startswith", "endswith": return .bool(try affix(name, text, arguments))
        case "find", "count":
            guard let part = arguments.text(0, "sub") else {
                throw wrong("'\(name)' needs a string")
            }
            if name == "count" { return .int(part.isEmpty ? 0 : text.split(part).count - 1) }
            let found = text.text.utf8Range(of: part, from: text.text.startIndex)
            return .int(
                found.map {
                    text.text.unicodeScalars.distance(from: text.text.startIndex, to: $0.lowerBound)
                } ?? (part.isEmpty ? 0 : -1))
        default:
            throw .unsupported(
                line: line, seen: "method '\(name)' of a string", allowed: Self.textMethods)
        }
    }

    private func affix(
        _ name: String, _ text: MarkedText, _ arguments: Values
    ) throws(TemplateError) -> Bool {
        var options: [JinjaValue] = [arguments.plain.first ?? .none]
        if case .list(let list) = options[0] { options = list.items }
        for option in options {
            guard case .text(let part) = option else { throw wrong("'\(name)' needs a string") }
            let (whole, affix) = (text.text.utf8, part.text.utf8)
            let holds =
                name == "startswith"
                ? whole.starts(with: affix) : whole.reversed().starts(with: affix.reversed())
            if holds { return true }
        }
        return false
    }

    /// The text without blanks, or the given characters, at its ends.
    mutating func strip(
        _ text: MarkedText, _ arguments: Values, left: Bool = true, right: Bool = true
    ) throws(TemplateError) -> MarkedText {
        try spend(text.text.utf8.count)
        guard let characters = arguments.text(0, "chars") else {
            return text.trimmed(left: left, right: right)
        }
        let cut = Set(characters.unicodeScalars)
        return text.trimmed(left: left, right: right) { cut.contains($0) }
    }

    /// The text with one string in place of another.
    mutating func replaced(
        _ text: MarkedText, _ arguments: Values
    ) throws(TemplateError) -> JinjaValue {
        guard let old = arguments.text(0, "old"), let new = arguments.text(1, "new") else {
            throw wrong("'replace' needs two strings")
        }
        guard !old.isEmpty else { throw wrong("'replace' of nothing") }
        try spend(text.text.utf8.count / old.utf8.count * text.content.count)
        let times = arguments.value(2, "count")?.wholeNumber ?? -1
        let parts = text.split(old, max: times < 0 ? .max : times)
        try spend(text.text.utf8.count)
        let (bytes, isTooLarge) = new.utf8.count.multipliedReportingOverflow(by: parts.count)
        try spend(isTooLarge ? .max : bytes)
        let joined = parts.map(\.text).joined(separator: new)
        return .text(MarkedText(joined, isContent: text.hasContent))
    }

    private mutating func split(
        _ text: MarkedText, _ arguments: Values
    ) throws(TemplateError) -> [JinjaValue] {
        let most = arguments.value(1, "maxsplit")?.wholeNumber ?? -1
        let parts: [MarkedText]
        if let separator = arguments.text(0, "sep") {
            guard !separator.isEmpty else { throw wrong("'split' at nothing") }
            // Each part looks through the places where the conversation's text lies.
            try spend(text.text.utf8.count / separator.utf8.count * text.content.count)
            parts = text.split(separator, max: most < 0 ? .max : most)
        } else {
            guard most < 0 else { throw wrong("'split' at blanks has no limit here") }
            parts = text.text.unicodeScalars.split { $0.properties.isWhitespace }
                .map { MarkedText(String($0), isContent: text.hasContent) }
        }
        try spend(parts.count * 64)
        return parts.map { .text($0) }
    }
}
