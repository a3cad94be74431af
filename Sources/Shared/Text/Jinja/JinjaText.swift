/// Values as text.
extension JinjaRenderer {
    /// What `{{ value }}` writes.
    mutating func text(of value: JinjaValue) throws(TemplateError) -> MarkedText {
        switch value {
        case .text(let text): return text
        case .undefined: return MarkedText("")
        default:
            var writer = JinjaWriter(style: .python)
            try write(value, &writer)
            return writer.marked
        }
    }

    /// What `tojson` writes.
    mutating func json(
        of value: JinjaValue, indent: Int?
    ) throws(TemplateError) -> MarkedText {
        var writer = JinjaWriter(style: .json, indent: indent)
        try write(value, &writer)
        return writer.marked
    }

    private mutating func write(
        _ value: JinjaValue, _ writer: inout JinjaWriter
    ) throws(TemplateError) {
        let before = writer.text.utf8.count
        switch value {
        case .undefined(let name):
            if writer.style == .json { throw wrong("tojson of '\(name)', which is undefined") }
            writer.add("Undefined")
        case .none: writer.add(writer.style == .json ? "null" : "None")
        case .bool(let value): writer.add(truth: value)
        case .int(let value): writer.add(String(value))
        case .double(let value): writer.add(value.description)
        case .text(let text): writer.quote(text)
        case .list(let list): try write(list, &writer)
        case .object(let object): try write(object, &writer)
        case .namespace: writer.add("<namespace>")
        }
        try spend(writer.text.utf8.count - before)
    }

    private mutating func write(
        _ list: JinjaList, _ writer: inout JinjaWriter
    ) throws(TemplateError) {
        writer.open("[")
        for (index, item) in list.items.enumerated() {
            writer.separate(isFirst: index == 0)
            try write(item, &writer)
        }
        writer.close("]", isEmpty: list.items.isEmpty)
    }

    private mutating func write(
        _ object: JinjaObject, _ writer: inout JinjaWriter
    ) throws(TemplateError) {
        writer.open("{")
        for (index, member) in object.members.enumerated() {
            writer.separate(isFirst: index == 0)
            writer.quote(MarkedText(member.key))
            writer.add(": ")
            try write(member.value, &writer)
        }
        writer.close("}", isEmpty: object.members.isEmpty)
    }
}

/// Writes values the way Python prints or `json.dumps` writes them.
struct JinjaWriter {
    enum Style { case python, json }

    let style: Style
    /// Blanks per level; nil for one line.
    var indent: Int?
    private(set) var text = ""
    private var hasContent = false
    private var level = 0

    init(style: Style, indent: Int? = nil) { (self.style, self.indent) = (style, indent) }

    var marked: MarkedText { MarkedText(text, isContent: hasContent) }

    mutating func add(_ part: String) { text += part }

    mutating func add(truth: Bool) {
        let name = truth ? "true" : "false"
        text += style == .json ? name : name.capitalizedFirst
    }

    mutating func open(_ bracket: String) {
        text += bracket
        level += 1
    }

    mutating func separate(isFirst: Bool) {
        if !isFirst { text += indent == nil ? ", " : "," }
        newline()
    }

    mutating func close(_ bracket: String, isEmpty: Bool) {
        level -= 1
        if !isEmpty { newline() }
        text += bracket
    }

    private mutating func newline() {
        guard let indent else { return }
        text += "\n" + String(repeating: " ", count: indent * level)
    }

    mutating func quote(_ part: MarkedText) {
        hasContent = hasContent || part.hasContent
        let usesDouble = style == .json || (part.text.contains("'") && !part.text.contains("\""))
        let mark: Unicode.Scalar = usesDouble ? "\"" : "'"
        text.unicodeScalars.append(mark)
        for scalar in part.text.unicodeScalars { add(scalar, within: mark) }
        text.unicodeScalars.append(mark)
    }

    private mutating func add(_ scalar: Unicode.Scalar, within mark: Unicode.Scalar) {
        let short: [Unicode.Scalar: String] = ["\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"]
        if let escape = short[scalar] {
            text += escape
        } else if scalar == mark {
            text += "\\" + String(mark)
        } else if style == .json, scalar == "\u{8}" || scalar == "\u{c}" {
            text += scalar == "\u{8}" ? "\\b" : "\\f"
        } else if scalar.value < 0x20 {
            let hex = String(scalar.value, radix: 16)
            text += (style == .json ? "\\u00" : "\\x") + (hex.count == 1 ? "0" : "") + hex
        } else {
            text.unicodeScalars.append(scalar)
        }
    }
}

extension String {
    /// The text with its first letter large and the others small.
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst().lowercased() }

    /// The text with the first letter of each word large and the others small.
    ///
    /// - Parameter startsWord: whether a word can start after this character
    func titled(after startsWord: (Character) -> Bool) -> String {
        var result = ""
        var isStart = true
        for character in self {
            result += isStart ? character.uppercased() : character.lowercased()
            isStart = startsWord(character)
        }
        return result
    }
}
