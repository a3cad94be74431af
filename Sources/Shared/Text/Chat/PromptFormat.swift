import Base

/// How a family writes conversations: its template, and what an image becomes in the text.
package struct PromptFormat: Sendable {
    package var template: ChatTemplate
    package var image: ImagePlaceholder

    package init(template: ChatTemplate, image: ImagePlaceholder) {
        (self.template, self.image) = (template, image)
    }
}

/// What stands for an image: the template writes `slot`, which becomes `before`, then `token` as
/// often as the image has features, then `after`.
package struct ImagePlaceholder: Sendable, Hashable {
    package var slot: String
    package var token: String
    package var before = ""
    package var after = ""

    /// A slot that is the token itself.
    package init(token: String) { (slot, self.token) = (token, token) }

    package init(slot: String, before: String, token: String, after: String) {
        (self.slot, self.before, self.token, self.after) = (slot, before, token, after)
    }
}

/// The families whose prompts are text with image tokens in it; CogVLM's is `CogVLMPrompt`.
package enum PromptFamily: Sendable, Hashable {
    /// LLaVA-NeXT on a language model of this `model_type`.
    case llavaNeXT(language: String)
    case internVL
    /// The original layout; the name of its template.
    case internVLChat(template: String)
    case qwenVL

    /// The family that `config.json` describes; nil if it is none of these.
    package init?(config: JSONNode) {
        switch config["model_type"]?.string {
        case "llava_next":
            self = .llavaNeXT(language: config["text_config"]?["model_type"]?.string ?? "llama")
        case "llava", "llava_llama": self = .llavaNeXT(language: "llama")
        case "llava_mistral": self = .llavaNeXT(language: "mistral")
        case "llava_qwen": self = .llavaNeXT(language: "qwen2")
        case "internvl": self = .internVL
        case "internvl_chat":
            self = .internVLChat(template: config["template"]?.string ?? "internlm2-chat")
        case "qwen2_vl", "qwen2_5_vl": self = .qwenVL
        default: return nil
        }
    }

    /// What stands for an image. Configurations may name another token than the usual one.
    package var image: ImagePlaceholder {
        switch self {
        case .llavaNeXT: ImagePlaceholder(token: "<image>")
        case .internVL:
            ImagePlaceholder(
                slot: "<IMG_CONTEXT>", before: "<img>", token: "<IMG_CONTEXT>", after: "</img>")
        case .internVLChat:
            ImagePlaceholder(
                slot: "<image>", before: "<img>", token: "<IMG_CONTEXT>", after: "</img>")
        case .qwenVL: ImagePlaceholder(token: "<|image_pad|>")
        }
    }

    /// The template for checkpoints that ship none.
    func builtInTemplate() throws(TemplateError) -> ChatTemplate {
        switch self {
        case .llavaNeXT(let language):
            switch language {
            case "mistral": return try ChatTemplate(BuiltInTemplates.mistral)
            case "qwen2":
                return try ChatTemplate(BuiltInTemplates.chatML)
                    .with(texts: ["image": "<image>\n"])
            default: return try ChatTemplate(BuiltInTemplates.vicuna)
            }
        case .internVL:
            return try ChatTemplate(BuiltInTemplates.chatML)
                .with(texts: ["image": "<IMG_CONTEXT>\n"])
        case .qwenVL: return try ChatTemplate(BuiltInTemplates.qwen)
        case .internVLChat(let name):
            guard let style = BuiltInTemplates.internVLChatStyles[name] else {
                throw .unsupported(
                    line: 0, seen: "template '\(name)'",
                    allowed: BuiltInTemplates.internVLChatStyles.keys.sorted())
            }
            return try ChatTemplate(BuiltInTemplates.internVLChat)
                .with(texts: ["separator": style.separator, "system": style.system])
        }
    }
}

extension PromptFormat {
    /// The format of a model's folder: the template it ships, else the family's own.
    package init(
        folder: String, family: PromptFamily, roles: TokenRoles
    ) throws(TemplateError) {
        image = family.image
        // The original InternVL models ship a template for text alone and use their own code.
        if case .internVLChat = family {
            template = try family.builtInTemplate()
        } else if let source = try Self.source(folder) {
            template = try ChatTemplate(source)
        } else {
            template = try family.builtInTemplate()
        }
        template = template.with(roles)
    }

    /// The template that a folder ships; nil if there is none.
    package static func source(_ folder: String) throws(TemplateError) -> String? {
        do throws(TokenizerError) {
            if let bytes = try TokenizerFolder.file(folder, "chat_template.jinja") {
                guard let text = bytes.text else {
                    throw .malformed(file: "chat_template.jinja", place: "", why: "not UTF-8")
                }
                return text
            }
            for name in ["chat_template.json", "processor_config.json", "tokenizer_config.json"] {
                guard let node = try TokenizerFolder.json(folder, name)?["chat_template"] else {
                    continue
                }
                if let source = node.string ?? Self.default(of: node) { return source }
            }
            return nil
        } catch {
            throw .tokenizer(error)
        }
    }

    /// The template named `default` in a list of several.
    private static func `default`(of list: JSONNode) -> String? {
        list.elements.first { $0["name"]?.string == "default" }?["template"]?.string
    }
}
