import Testing
import Text

/// Every conversation of the reference values: rendered text, expanded text, ids and labels.
struct ChatGoldenTests {
    static let folders = GoldenFolder.folders("", with: "golden/cases.json")

    @Test func thereAreGoldens() {
        #expect(!Self.folders.isEmpty, "no cases in \(GoldenFolder.path)")
    }

    @Test(arguments: folders)
    func conversationsBecomeTheSameTokensAndLabels(folder: String) throws {
        let config = try GoldenFolder.json(folder, "config.json")
        let cases = try #require(try GoldenFolder.json(folder, "golden/cases.json")["cases"])
        let tokenizer = try Tokenizer(folder: folder)
        if let family = PromptFamily(config: config) {
            let format = try PromptFormat(folder: folder, family: family, roles: tokenizer.roles)
            for node in cases.elements {
                try check(node, ChatEncoder(tokenizer, format))
            }
        } else {
            for node in cases.elements { try checkCogVLM(node, tokenizer, config) }
        }
    }

    private func check(_ node: JSONNode, _ encoder: ChatEncoder) throws {
        let name = node["name"]?.string ?? ""
        let messages = try ChatMessage.list(node["messages"])
        let ids = try #require(node["input_ids"]).ids
        let template = encoder.format.template
        let text = try template.render(messages).text
        #expect(text.isSame(as: node["rendered"]?.string), "\(name): \(text)")
        let prompt = try template.render(messages.dropLast(), forGeneration: true).text
        #expect(prompt.isSame(as: node["rendered_prompt"]?.string), "\(name): \(prompt)")
        let token = try #require(encoder.tokenizer.id(of: encoder.format.image.token))
        let counts = try imageTokens(node, encoder, ids, token)
        let encoded = try encoder.encode(messages, imageTokens: counts)
        #expect(encoded.text.isSame(as: node["expanded"]?.string), "\(name)")
        #expect(encoded.ids == ids, "\(name)")
        #expect(encoded.labels() == node["labels"]?.ids, "\(name)")
        #expect(encoded.images.map(\.count) == counts, "\(name)")
        #expect(encoded.images.allSatisfy { encoded.ids[$0].allSatisfy { $0 == token } })
        #expect(spans(encoded) == node["assistant_char_spans_in_expanded"]?.spans, "\(name)")
    }

    /// The runs of image tokens; the reference does not say the counts otherwise.
    private func imageTokens(
        _ node: JSONNode, _ encoder: ChatEncoder, _ ids: [Int32], _ token: Int32
    ) throws -> [Int] {
        var (counts, isInRun) = ([Int](), false)
        for id in ids {
            if id == token, isInRun { counts[counts.count - 1] += 1 }
            if id == token, !isInRun { counts.append(1) }
            isInRun = id == token
        }
        return counts
    }

    /// Spans counted in Unicode scalars, as Python counts.
    private func spans(_ chat: EncodedChat) -> [[Int]] {
        let utf8 = Array(chat.text.utf8)
        let scalars = { (end: Int) in utf8[..<end].count { $0 & 0xc0 != 0x80 } }
        return chat.assistant.map { [scalars($0.lowerBound), scalars($0.upperBound)] }
    }

    // MARK: CogVLM

    private func checkCogVLM(
        _ node: JSONNode, _ tokenizer: Tokenizer, _ config: JSONNode
    ) throws {
        let id = { (name: String) in Int32(try #require(config[name]?.int)) }
        let style = try #require(config["template_version"]?.string)
        let pad = try id("pad_token_id")
        let prompt = try CogVLMPrompt(
            tokenizer, style: style, begin: id("bos_token_id"), end: id("eos_token_id"), pad: pad)
        let ids = try #require(node["input_ids"]).ids
        let images = node["images"]?.count ?? 0
        let messages = try conversation(of: node, images: images)
        let question = try prompt.question(messages)
        #expect(question.isSame(as: node["rendered_prompt"]?.string), "\(question)")
        let counts = images == 0 ? [] : [ids.dropFirst().prefix { $0 == pad }.count]
        let encoded = try prompt.encode(messages, imageTokens: counts)
        #expect(encoded.ids == ids)
        #expect(encoded.labels() == node["labels"]?.ids)
        let forGeneration = try prompt.encode(messages.dropLast(), imageTokens: counts)
        #expect(ids.starts(with: forGeneration.ids))
    }

    /// The messages of a case name the last turn only; what was said before is in the prompt.
    private func conversation(of node: JSONNode, images: Int) throws -> [ChatMessage] {
        var messages = try ChatMessage.list(node["messages"])
        let prompt = try #require(node["rendered_prompt"]?.string)
        let history = prompt.split(separator: "Question: ").dropLast()
        var earlier: [ChatMessage] = []
        for turn in history {
            let separator = turn.contains(" Short answer: ") ? " Short answer: " : " Answer: "
            let halves = turn.split(separator: separator, maxSplits: 1)
            earlier.append(ChatMessage(.user, String(halves[0])))
            earlier.append(ChatMessage(.assistant, String(halves[1].dropLast())))
        }
        messages = earlier + messages
        if images > 0, messages[0].images == 0 { messages[0].parts.insert(.image, at: 0) }
        return messages
    }
}

extension ChatMessage {
    /// Messages as the reference writes them.
    static func list(_ node: JSONNode?) throws -> [ChatMessage] {
        try #require(node).elements.map { message in
            let role = try #require(message["role"]?.string.flatMap(Role.init))
            guard let content = message["content"], content.isArray else {
                return ChatMessage(role, message["content"]?.string ?? "")
            }
            return ChatMessage(
                role,
                content.elements.map { part in
                    part["type"]?.string == "image" ? .image : .text(part["text"]?.string ?? "")
                })
        }
    }
}

extension JSONNode {
    /// Pairs of numbers.
    fileprivate var spans: [[Int]] { elements.map { $0.elements.compactMap(\.int) } }
}
