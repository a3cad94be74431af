package import Images
package import Text

/// Turns conversations with pictures into what a model reads.
package struct InputEncoder: Sendable {
    package let chat: ChatEncoder
    package let images: any ImagePreparation
    /// The longest conversation in tokens, and the rows of the model's table.
    private var limits: (tokens: Int, vocabulary: Int) = (.max, .max)

    init(
        _ files: ModelFiles, _ config: ConfigReader, _ family: ModelFamily
    ) throws(ModelError) {
        images = try family.images(config, try files.imageSettings())
        guard let prompts = PromptFamily(config: config.node) else {
            throw .unknownArchitecture(
                seen: try config.text("model_type"), known: family.types)
        }
        let tokenizer: Tokenizer
        do {
            // LLaVA's own code has a number for pictures that its tokenizer knows nothing of.
            let isOriginal = config["mm_vision_tower"] != nil
            tokenizer = try Tokenizer(
                folder: files.path, adding: isOriginal ? [prompts.image.token] : [])
        } catch {
            throw .tokenizer(error)
        }
        do {
            chat = ChatEncoder(
                tokenizer,
                try PromptFormat(folder: files.path, family: prompts, roles: tokenizer.roles))
        } catch {
            throw .template(error)
        }
    }

    /// The encoder of a model's folder, whose weights nobody needs to load: it counts tokens, and
    /// knows no limit of the model but its families'.
    /// - Parameter folder: with `config.json` and a tokenizer
    package init(folder: String) throws(ModelError) {
        let files = ModelFiles(folder)
        let config = try files.config()
        try self.init(files, config, try ModelFamily.of(config))
    }

    func limited(to model: any VisionLanguageModel) -> InputEncoder {
        var copy = self
        copy.limits = (model.decoder.config.lengthMax, model.decoder.config.vocabulary)
        return copy
    }

    /// The input of a conversation.
    /// - Parameters:
    ///   - pictures: in the order of their places
    ///   - forGeneration: ends with what introduces the assistant's next answer
    package func input(
        _ messages: [ChatMessage], _ pictures: [RGBImage], forGeneration: Bool = false
    ) throws(ModelError) -> ModelInput {
        let places = messages.reduce(0) { $0 + $1.images }
        guard places == pictures.count else {
            throw .imageCount(images: pictures.count, places: places)
        }
        // Counted first: nothing is resized for a conversation that is too long.
        let sizes = pictures.map { ImageSize(height: $0.height, width: $0.width) }
        let encoded = try encoded(messages, sizes, forGeneration: forGeneration)
        var prepared: [PreparedImage] = []
        for (index, picture) in pictures.enumerated() {
            do {
                prepared.append(try images.prepared(picture))
            } catch {
                throw .image(index: index, error)
            }
        }
        return ModelInput(
            ids: encoded.ids, isTrained: encoded.isTrained, images: prepared,
            imageRows: encoded.images)
    }

    /// The tokens of a conversation whose pictures have these sizes: all that a budget needs.
    package func encoded(
        _ messages: [ChatMessage], _ sizes: [ImageSize], forGeneration: Bool = false
    ) throws(ModelError) -> EncodedChat {
        var counts: [Int] = []
        for (index, size) in sizes.enumerated() {
            do {
                counts.append(try images.tokenCount(size))
            } catch {
                throw .image(index: index, error)
            }
        }
        let encoded: EncodedChat
        do {
            encoded = try chat.encode(
                messages, imageTokens: counts, forGeneration: forGeneration)
        } catch {
            throw .template(error)
        }
        guard encoded.ids.count <= limits.tokens else {
            throw .tooLong(
                tokens: encoded.ids.count, imageTokens: counts.reduce(0, +),
                tokensMax: limits.tokens)
        }
        for (row, id) in encoded.ids.enumerated() where Int(id) >= limits.vocabulary {
            guard encoded.images.contains(where: { $0.contains(row) }) else {
                throw .tokenOutOfRange(id: Int(id), vocabulary: limits.vocabulary)
            }
        }
        return encoded
    }
}
