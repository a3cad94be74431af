import Base

/// A chat template: Jinja as checkpoints ship it, for structured messages.
package struct ChatTemplate: Sendable {
    /// Its text, as the checkpoint ships it.
    package let source: String
    private let statements: [JinjaStatement]
    /// Variables besides the messages, such as `bos_token`.
    private var variables: [String: JinjaValue] = [:]
    /// Whether messages are given to it as strings; templates that know nothing of parts need it.
    private let takesText: Bool

    /// Reads a template.
    package init(_ source: String) throws(TemplateError) {
        var parser = try JinjaParser(source)
        self.source = source
        statements = try parser.parse()
        takesText = !["'type'", "\"type\"", ".type", "[0]"].contains { source.contains($0) }
    }

    /// The template with the names of special tokens, and with texts and switches of its own.
    package func with(
        _ roles: TokenRoles = TokenRoles(), texts: [String: String] = [:],
        switches: [String: Bool] = [:]
    ) -> ChatTemplate {
        var template = self
        let names = [
            "bos_token": roles.begin, "eos_token": roles.end, "pad_token": roles.pad,
            "unk_token": roles.unknown,
        ]
        for (name, text) in names {
            if let text { template.variables[name] = .string(text) }
        }
        for (name, text) in texts { template.variables[name] = .string(text) }
        for (name, value) in switches { template.variables[name] = .bool(value) }
        return template
    }

    /// Renders a conversation.
    ///
    /// - Parameter forGeneration: ends with what introduces the assistant's next answer
    package func render(
        _ messages: [ChatMessage], forGeneration: Bool = false
    ) throws(TemplateError) -> RenderedChat {
        let renderer = try run(messages, forGeneration: forGeneration)
        var chat = RenderedChat(renderer)
        let assistants = messages.indices.filter { messages[$0].role == .assistant }
        guard let first = assistants.first else { return chat }
        let introduction = try introduction(after: Array(messages[..<first]))
        for index in assistants {
            let span: Range<Int>
            if let turn = renderer.turns[index], !renderer.scattered.contains(index) {
                let written = chat.content.first { $0.overlaps(turn) }?.lowerBound
                span = try Self.answer(in: turn, of: chat.bytes, introduction, written, index)
            } else {
                span = try answerByPrefixes(index, messages, chat.bytes)
            }
            chat.assistant.append(chat.bytes.withoutBlanksAtEnd(span))
        }
        return chat
    }

    private func run(
        _ messages: [ChatMessage], forGeneration: Bool
    ) throws(TemplateError) -> JinjaRenderer {
        var variables = variables
        let values = messages.enumerated().map { value(of: $1, turn: $0) }
        variables["messages"] = .list(JinjaList(values))
        variables["add_generation_prompt"] = .bool(forGeneration)
        var renderer = JinjaRenderer(variables)
        try renderer.render(statements)
        return renderer
    }

    private func value(of message: ChatMessage, turn: Int) -> JinjaValue {
        let parts = message.parts.map { part in
            switch part {
            case .image: JinjaValue.object(JinjaObject([("type", .string("image"))]))
            case .text(let text):
                JinjaValue.object(
                    JinjaObject([
                        ("type", .string("text")),
                        ("text", .text(MarkedText(text, isContent: true))),
                    ]))
            }
        }
        let content: JinjaValue =
            takesText
            ? .text(MarkedText(message.text, isContent: true)) : .list(JinjaList(parts))
        return .object(
            JinjaObject(
                [("role", .string(message.role.rawValue)), ("content", content)], turn: turn))
    }

    // MARK: Where the assistant speaks

    /// What `add_generation_prompt` adds to a conversation; nil if that cannot be told.
    private func introduction(after messages: [ChatMessage]) throws(TemplateError) -> [UInt8]? {
        do throws(TemplateError) {
            let plain = try run(messages, forGeneration: false).output
            let introduced = try run(messages, forGeneration: true).output
            return introduced.starts(with: plain) ? Array(introduced[plain.count...]) : nil
        } catch {
            // Some templates refuse conversations without a user, or without any message.
            guard case .raised = error else { throw error }
            return nil
        }
    }

    /// The part of a turn that comes after its introduction.
    ///
    /// - Parameter written: where the text of the message starts
    private static func answer(
        in turn: Range<Int>, of bytes: [UInt8], _ introduction: [UInt8]?, _ written: Int?,
        _ message: Int
    ) throws(TemplateError) -> Range<Int> {
        if let introduction {
            if bytes[turn].starts(with: introduction) {
                return (turn.lowerBound + introduction.count)..<turn.upperBound
            }
            // A template may write something else first, such as a system text.
            let header = bytes[turn.lowerBound..<(written ?? turn.upperBound)]
            if let start = header.lastEnd(of: introduction) { return start..<turn.upperBound }
        }
        guard let written else {
            throw .assistantUnclear(
                message: message, why: "it has no text and no introduction as for an answer")
        }
        return written..<turn.upperBound
    }

    /// The answer as the difference of renderings, for templates that do not loop over messages.
    private func answerByPrefixes(
        _ index: Int, _ messages: [ChatMessage], _ bytes: [UInt8]
    ) throws(TemplateError) -> Range<Int> {
        let before = try run(Array(messages[..<index]), forGeneration: true).output
        let after = try run(Array(messages[...index]), forGeneration: false).output
        guard after.starts(with: before), bytes.starts(with: after) else {
            throw .assistantUnclear(
                message: index,
                why: "the template goes through no loop over messages, and what it renders of the"
                    + " conversation's beginning is not the beginning of what it renders of it all")
        }
        return before.count..<after.count
    }
}

/// A conversation as text, and what came from where. Ranges count bytes of UTF-8.
package struct RenderedChat: Sendable {
    let bytes: [UInt8]
    /// What the conversation's messages say, as opposed to what the template adds.
    package let content: [Range<Int>]
    /// What the assistant writes, through its end marker: the part to train on, in order.
    package internal(set) var assistant: [Range<Int>] = []

    /// The text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    init(_ renderer: JinjaRenderer) {
        (bytes, content) = (renderer.output, renderer.content)
    }
}

extension [UInt8] {
    /// A range without the white space at its end.
    func withoutBlanksAtEnd(_ range: Range<Int>) -> Range<Int> {
        let text = String(decoding: self[range], as: UTF8.self).unicodeScalars
        let blanks = text.reversed().prefix { $0.properties.isWhitespace }
            .reduce(0) { $0 + (UTF8.encode($1)?.count ?? 0) }
        return range.lowerBound..<Swift.max(range.lowerBound, range.upperBound - blanks)
    }
}

extension ArraySlice<UInt8> {
    /// Where the last occurrence of `pattern` ends.
    fileprivate func lastEnd(of pattern: [UInt8]) -> Int? {
        guard !pattern.isEmpty, count >= pattern.count else { return nil }
        return (startIndex...(endIndex - pattern.count)).last { self[$0...].starts(with: pattern) }
            .map { $0 + pattern.count }
    }
}
