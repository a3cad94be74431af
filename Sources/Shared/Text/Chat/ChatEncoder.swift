/// Turns conversations into tokens, with the places of images and the mask of what to train on.
package struct ChatEncoder: Sendable {
    package let tokenizer: Tokenizer
    package let format: PromptFormat
    /// Whether special tokens that messages spell out are text even where the template itself
    /// writes them. Without it a message could forge another turn or an image.
    package var distrustsContent = true

    /// The most tokens that one image may become.
    package static let tokensOfImageMax = 1 << 18

    /// The most images in a conversation.
    package static let imagesMax = 4096
    /// The most tokens that all images of a conversation may become.
    package static let imageTokensMax = 1 << 22

    package init(_ tokenizer: Tokenizer, _ format: PromptFormat) {
        (self.tokenizer, self.format) = (tokenizer, format)
    }

    /// Tokens of a conversation.
    ///
    /// - Parameters:
    ///   - imageTokens: for each image in order, how many tokens it becomes
    ///   - forGeneration: ends with what introduces the assistant's next answer
    package func encode(
        _ messages: [ChatMessage], imageTokens: [Int], forGeneration: Bool = false
    ) throws(TemplateError) -> EncodedChat {
        let images = messages.reduce(0) { $0 + $1.images }
        guard imageTokens.count == images else {
            throw .imageCounts(images: images, counts: imageTokens.count)
        }
        guard images <= Self.imagesMax else {
            throw .tokenizer(.tooMany(what: "images", count: images, countMax: Self.imagesMax))
        }
        for (index, tokens) in imageTokens.enumerated()
        where !(1...Self.tokensOfImageMax).contains(tokens) {
            throw .tokensOfImage(index: index, tokens: tokens, tokensMax: Self.tokensOfImageMax)
        }
        let total = imageTokens.reduce(0, +)
        guard total <= Self.imageTokensMax else {
            throw .tokenizer(
                .tooMany(what: "image tokens", count: total, countMax: Self.imageTokensMax))
        }
        let rendered = try format.template.render(messages, forGeneration: forGeneration)
        let expanded = try ExpandedChat(rendered, format.image, imageTokens)
        return try encode(expanded, imageTokens)
    }

    private func encode(
        _ chat: ExpandedChat, _ imageTokens: [Int]
    ) throws(TemplateError) -> EncodedChat {
        let text = String(decoding: chat.bytes, as: UTF8.self)
        var options = EncodeOptions(wantsRanges: true)
        // Some templates write the token that the tokenizer would add.
        if let begin = tokenizer.roles.begin, text.utf8.starts(with: begin.utf8) {
            options.addsSpecial = false
        }
        if distrustsContent {
            options.literals = chat.content
            options.literalIds = structuralIds(of: chat)
        }
        let encoding: Encoding
        do throws(TokenizerError) {
            encoding = try tokenizer.encode(text, options)
        } catch {
            throw .tokenizer(error)
        }
        return EncodedChat(
            ids: encoding.ids, isTrained: Self.mask(encoding.ranges, chat.assistant),
            images: try places(of: chat, encoding, imageTokens), text: text,
            assistant: chat.assistant)
    }

    /// The added tokens that the template writes, and those with a role.
    private func structuralIds(of chat: ExpandedChat) -> Set<Int32> {
        let roles = tokenizer.roles
        let names = [roles.begin, roles.end, roles.pad, format.image.token, format.image.slot]
        var ids = Set(names.compactMap { $0.flatMap(tokenizer.id(of:)) })
        let segments = chat.bytes.withUnsafeBufferPointer {
            tokenizer.added.segments(of: $0, normalized: false)
        }
        var next = 0
        for segment in segments where segment.id >= 0 {
            while next < chat.content.count, chat.content[next].upperBound <= segment.start {
                next += 1
            }
            let isForeign =
                next < chat.content.count && chat.content[next].lowerBound < segment.end
            if !isForeign { ids.insert(segment.id) }
        }
        return ids
    }

    /// Which tokens overlap one of the spans; both are in order.
    static func mask(_ ranges: [Range<Int>], _ spans: [Range<Int>]) -> [Bool] {
        var next = 0
        return ranges.map { range in
            while next < spans.count, spans[next].upperBound <= range.lowerBound { next += 1 }
            return next < spans.count && range.overlaps(spans[next])
        }
    }

    /// The tokens of each image.
    private func places(
        of chat: ExpandedChat, _ encoding: Encoding, _ imageTokens: [Int]
    ) throws(TemplateError) -> [Range<Int>] {
        guard !imageTokens.isEmpty else { return [] }
        guard let id = tokenizer.id(of: format.image.token) else {
            throw .noSuchToken(format.image.token)
        }
        var (places, next) = ([Range<Int>](), 0)
        for (image, range) in chat.images.enumerated() {
            while next < encoding.ids.count, encoding.ranges[next].lowerBound < range.lowerBound {
                next += 1
            }
            let start = next
            while next < encoding.ids.count, encoding.ids[next] == id,
                encoding.ranges[next].upperBound <= range.upperBound
            {
                next += 1
            }
            guard next - start == imageTokens[image] else {
                throw .noSuchToken(format.image.token)
            }
            places.append(start..<next)
        }
        return places
    }
}

/// A conversation as tokens.
package struct EncodedChat: Sendable, Hashable {
    package var ids: [Int32]
    /// For each token, whether it is part of what the assistant writes.
    package var isTrained: [Bool]
    /// For each image, its tokens.
    package var images: [Range<Int>]
    /// What was tokenised.
    package var text: String
    /// The bytes of `text` that the assistant writes.
    package var assistant: [Range<Int>]

    /// The tokens to train on, `ignored` elsewhere.
    package func labels(ignored: Int32 = -100) -> [Int32] {
        zip(ids, isTrained).map { $1 ? $0 : ignored }
    }
}

/// A rendered conversation in which each image's slot became its tokens.
struct ExpandedChat {
    private(set) var bytes: [UInt8] = []
    private(set) var content: [Range<Int>] = []
    private(set) var assistant: [Range<Int>] = []
    /// For each image, the bytes of its repeated token.
    private(set) var images: [Range<Int>] = []

    init(
        _ chat: RenderedChat, _ image: ImagePlaceholder, _ imageTokens: [Int]
    ) throws(TemplateError) {
        let slot = Array(image.slot.utf8)
        let slots = Self.slots(in: chat, slot)
        guard slots.count == imageTokens.count else {
            throw .imageSlots(
                images: imageTokens.count, slots: slots.count, placeholder: image.slot)
        }
        var copied = 0
        /// For each slot, where the text after it was and where it is now.
        var shifts = [(old: 0, new: 0)]
        for (place, tokens) in zip(slots, imageTokens) {
            bytes += chat.bytes[copied..<place]
            bytes += Array(image.before.utf8)
            let start = bytes.count
            for _ in 0..<tokens { bytes += Array(image.token.utf8) }
            images.append(start..<bytes.count)
            bytes += Array(image.after.utf8)
            copied = place + slot.count
            shifts.append((copied, bytes.count))
        }
        bytes += chat.bytes[copied...]
        content = Self.moved(chat.content, shifts)
        assistant = Self.moved(chat.assistant, shifts)
    }

    /// Where the template wrote a slot; what users write is none.
    private static func slots(in chat: RenderedChat, _ slot: [UInt8]) -> [Int] {
        guard let first = slot.first else { return [] }
        var (places, position, next) = ([Int](), 0, 0)
        while position + slot.count <= chat.bytes.count {
            guard chat.bytes[position] == first, chat.bytes[position...].starts(with: slot) else {
                position += 1
                continue
            }
            while next < chat.content.count, chat.content[next].upperBound <= position { next += 1 }
            if next < chat.content.count, chat.content[next].lowerBound < position + slot.count {
                position += 1
            } else {
                places.append(position)
                position += slot.count
            }
        }
        return places
    }

    /// Ranges of the text before as ranges of the text now; both are in order.
    private static func moved(
        _ ranges: [Range<Int>], _ shifts: [(old: Int, new: Int)]
    ) -> [Range<Int>] {
        var next = 0
        return ranges.map { range in
            // The last slot that ends at or before the beginning.
            while next + 1 < shifts.count, shifts[next + 1].old <= range.lowerBound { next += 1 }
            let start = range.lowerBound + shifts[next].new - shifts[next].old
            let last = shifts[next...].prefix { $0.old <= range.upperBound }.last ?? shifts[next]
            return start..<(range.upperBound + last.new - last.old)
        }
    }
}
