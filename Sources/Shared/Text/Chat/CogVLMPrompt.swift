/// CogVLM's prompts, which are put together from tokens: begin, one image, question, answer.
///
/// Question and answer are tokenised apart, so the mask needs no ranges. Only the last answer is
/// trained; earlier ones are part of the question.
package struct CogVLMPrompt: Sendable {
    private let tokenizer: Tokenizer
    private let style: Style
    private let begin, end, pad: Int32

    /// How a question is written; `template_version` in `config.json`.
    package enum Style: String, Sendable, CaseIterable { case base, chat, vqa }

    /// - Parameter pad: the token that holds the place of image features
    package init(
        _ tokenizer: Tokenizer, style: String, begin: Int32, end: Int32, pad: Int32
    ) throws(TemplateError) {
        guard let style = Style(rawValue: style) else {
            throw .unsupported(
                line: 0, seen: "template_version '\(style)'",
                allowed: Style.allCases.map(\.rawValue))
        }
        (self.tokenizer, self.style) = (tokenizer, style)
        (self.begin, self.end, self.pad) = (begin, end, pad)
    }

    /// The question with all that was said before.
    package func question(_ messages: [ChatMessage]) throws(TemplateError) -> String {
        try check(messages)
        let turns = messages.last?.role == .assistant ? messages.dropLast() : messages[...]
        guard let last = turns.last else {
            throw .conversation(why: "a CogVLM conversation needs a question")
        }
        if style == .base { return last.text }
        let asks = style == .vqa ? "Short answer:" : "Answer:"
        var text = ""
        for message in turns {
            text +=
                message.role == .user
                ? "Question: \(message.text) \(asks)" : " \(message.text)\n"
        }
        return text
    }

    private func check(_ messages: [ChatMessage]) throws(TemplateError) {
        for (index, message) in messages.enumerated() {
            let expected: ChatMessage.Role = index % 2 == 0 ? .user : .assistant
            guard message.role == expected else {
                let role = message.role.rawValue
                throw .conversation(
                    why: "message \(index) of a CogVLM conversation is from \(role);"
                        + " user and assistant take turns, and there is no system text")
            }
            guard message.images == 0 || index == 0 else {
                throw .conversation(why: "message \(index) has an image; CogVLM takes one, first")
            }
        }
        let images = messages.reduce(0) { $0 + $1.images }
        guard images <= 1 else {
            throw .conversation(why: "\(images) images in a conversation; CogVLM takes one")
        }
    }

    /// Tokens of a conversation; one that ends with an answer is for training.
    ///
    /// - Parameter imageTokens: how many tokens the image becomes, if there is one
    package func encode(
        _ messages: [ChatMessage], imageTokens: [Int]
    ) throws(TemplateError) -> EncodedChat {
        let question = try question(messages)
        let images = messages.reduce(0) { $0 + $1.images }
        guard imageTokens.count == images else {
            throw .imageCounts(images: images, counts: imageTokens.count)
        }
        let count = imageTokens.first ?? 0
        guard images == 0 || (1...ChatEncoder.tokensOfImageMax).contains(count) else {
            throw .tokensOfImage(index: 0, tokens: count, tokensMax: ChatEncoder.tokensOfImageMax)
        }
        var chat = EncodedChat(
            ids: [begin] + [Int32](repeating: pad, count: count), isTrained: [],
            images: images == 0 ? [] : [1..<(1 + count)], text: question, assistant: [])
        chat.ids += try tokens(question)
        chat.isTrained = [Bool](repeating: false, count: chat.ids.count)
        if let answer = messages.last, answer.role == .assistant {
            let ids = try tokens(answer.text) + [end]
            chat.ids += ids
            chat.isTrained += [Bool](repeating: true, count: ids.count)
            chat.assistant = [question.utf8.count..<(question.utf8.count + answer.text.utf8.count)]
            chat.text += answer.text
        }
        return chat
    }

    /// Tokens of text in which no special token is meant.
    private func tokens(_ text: String) throws(TemplateError) -> [Int32] {
        var options = EncodeOptions(addsSpecial: false)
        options.literals = [0..<text.utf8.count]
        options.literalIds = Set([begin, end, pad])
        do throws(TokenizerError) {
            return try tokenizer.encode(text, options).ids
        } catch {
            throw .tokenizer(error)
        }
    }
}
