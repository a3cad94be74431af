extension Tokenizer {
    /// What a token stands for in the middle of a text, perhaps a part of a character; empty for an
    /// unknown id.
    package func bytes(of id: Int32) -> [UInt8] {
        if let added = addedToken(id) { return Array(added.content.utf8) }
        guard let token = model.vocabulary.token(Int(id)) else { return [] }
        if decoder.isByteLevel { return Array(token) }
        if decoder.usesByteFallback, let byte = TokenDecoder.byteValue(of: token) { return [byte] }
        var text = Array(token)
        if let (mark, _) = decoder.metaspace { text = text.replacingAll(mark, with: [0x20]) }
        for replacement in decoder.replacements {
            text = text.replacingAll(replacement.pattern, with: replacement.content)
        }
        return text
    }
}
