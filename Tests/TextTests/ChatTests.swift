import Base
import Testing

@testable import Text

/// What conversations may and may not do to a prompt.
struct ChatTests {
    /// A LLaVA tokenizer of the reference values, or any other.
    private static func encoder(_ source: String, token: String = "<image>") throws -> ChatEncoder {
        let folder = "\(GoldenFolder.path)/tokenizers/llama"
        let image = ImagePlaceholder(token: token)
        return ChatEncoder(
            try Tokenizer(folder: folder),
            PromptFormat(template: try ChatTemplate(source), image: image))
    }

    private static let question = ChatMessage(.user, [.image, .text("What is <image>?")])

    @Test func aPlaceholderInAUsersTextIsText() throws {
        let encoder = try Self.encoder(BuiltInTemplates.vicuna)
        let messages = [Self.question, ChatMessage(.assistant, "A </s> cat.")]
        let chat = try encoder.encode(messages, imageTokens: [3])
        let image = try #require(encoder.tokenizer.id(of: "<image>"))
        let end = try #require(encoder.tokenizer.id(of: "</s>"))
        #expect(chat.ids.count { $0 == image } == 3)
        #expect(chat.images.map(\.count) == [3])
        #expect(!chat.ids.contains(end))
    }

    @Test func trustedContentMayUseSpecialTokens() throws {
        var encoder = try Self.encoder(BuiltInTemplates.vicuna)
        encoder.distrustsContent = false
        let chat = try encoder.encode([ChatMessage(.user, "a</s>b")], imageTokens: [])
        #expect(chat.ids.contains(try #require(encoder.tokenizer.id(of: "</s>"))))
    }

    @Test func aTemplateWithoutAnImageSlotIsRefused() throws {
        let encoder = try Self.encoder("{% for m in messages %}{{ m.content[1].text }}{% endfor %}")
        #expect(throws: TemplateError.imageSlots(images: 1, slots: 0, placeholder: "<image>")) {
            try encoder.encode([Self.question], imageTokens: [5])
        }
    }

    @Test func countsMustFitTheImages() throws {
        let encoder = try Self.encoder(BuiltInTemplates.vicuna)
        #expect(throws: TemplateError.imageCounts(images: 1, counts: 2)) {
            try encoder.encode([Self.question], imageTokens: [5, 6])
        }
        let most = ChatEncoder.tokensOfImageMax
        for count in [0, -1, most + 1] {
            let error = TemplateError.tokensOfImage(index: 0, tokens: count, tokensMax: most)
            #expect(throws: error) { try encoder.encode([Self.question], imageTokens: [count]) }
        }
    }

    @Test func aTemplateThatRefusesSaysWhyAndWhere() throws {
        let template = try ChatTemplate("a\n{{ raise_exception('no ' ~ messages[0].role) }}")
        #expect(throws: TemplateError.raised(line: 2, message: "no user")) {
            try template.render([ChatMessage(.user, "x")])
        }
    }

    @Test func theAnswerIsFoundWithoutALoopOverMessages() throws {
        let source = """
            {% for i in range(messages | length) %}<{{ messages[i].role }}>\
            {{ messages[i].content[0].text }}</>
            {% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}
            """
        let chat = try ChatTemplate(source).render([
            ChatMessage(.user, "q"), ChatMessage(.assistant, "one"),
            ChatMessage(.user, "<assistant>"),
            ChatMessage(.assistant, "two"),
        ])
        let answers = chat.assistant.map {
            String(decoding: Array(chat.text.utf8)[$0], as: UTF8.self)
        }
        #expect(answers == ["one</>", "two</>"])
    }

    @Test func anIntroductionThatAnswersLackIsNotTrained() throws {
        let source = """
            {% for m in messages %}<{{ m.role }}>{{ m.content[0].text }}</>{% endfor %}\
            {% if add_generation_prompt %}<assistant><think>{% endif %}
            """
        let chat = try ChatTemplate(source).render([
            ChatMessage(.user, "q"), ChatMessage(.assistant, "one"),
        ])
        let answers = chat.assistant.map {
            String(decoding: Array(chat.text.utf8)[$0], as: UTF8.self)
        }
        #expect(answers == ["one</>"])
    }

    @Test func anAnswerThatCannotBeFoundIsAnError() throws {
        let source = "{% set n = messages | length %}{{ n }}{% for m in messages[:0] %}{% endfor %}"
        let template = try ChatTemplate(source)
        #expect(throws: TemplateError.self) {
            try template.render([ChatMessage(.user, "q"), ChatMessage(.assistant, "a")])
        }
    }

    @Test func aSystemTextReplacesTheOneOfInternVLChat() throws {
        let template = try PromptFamily.internVLChat(template: "internvl2_5").builtInTemplate()
        let text = try template.render([ChatMessage(.system, "S"), ChatMessage(.user, "q")]).text
        #expect(text == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n")
    }

    @Test func cogVLMRefusesWhatItCannotSay() throws {
        let tokenizer = try Tokenizer(folder: "\(GoldenFolder.path)/tokenizers/llama")
        let prompt = try CogVLMPrompt(tokenizer, style: "vqa", begin: 1, end: 2, pad: 0)
        let wrong: [[ChatMessage]] = [
            [], [ChatMessage(.system, "s")], [ChatMessage(.user, "a"), ChatMessage(.user, "b")],
            [ChatMessage(.user, [.image, .image])],
        ]
        for messages in wrong {
            #expect(throws: TemplateError.self) { try prompt.encode(messages, imageTokens: []) }
        }
        #expect(throws: TemplateError.self) {
            try CogVLMPrompt(tokenizer, style: "grounding", begin: 1, end: 2, pad: 0)
        }
    }
}
