/// How tokens become text again.
struct TokenDecoder: Sendable {
    /// Tokens are bytes of UTF-8.
    var isByteLevel = false
    /// What is replaced in each token, in order.
    var replacements: [Replacement] = []
    /// Tokens `<0xNN>` are bytes.
    var usesByteFallback = false
    /// How many of `stripped` vanish at the beginning.
    var stripCount = 0
    var stripped: UInt8 = 0x20
    /// The mark that vanishes from the first token and becomes a blank in others.
    var metaspace: (mark: [UInt8], dropsFirst: Bool)?
    /// As SentencePiece does: added tokens stand between texts of their own, which are stripped
    /// each; of invalid bytes only those that are wrong are replaced.
    var restartsAtAddedTokens = false

    /// A string and what becomes of it.
    struct Replacement: Sendable {
        let pattern: [UInt8]
        let content: [UInt8]
    }

    /// The value of a token `<0xNN>`; nil for other tokens.
    static func byteValue(of token: ArraySlice<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: [0x3c, 0x30, 0x78]), token.last == 0x3e else {
            return nil
        }
        return UInt8(String(decoding: token.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
    }
}

/// Turns tokens into text as they come, never giving out a part of a character.
///
/// The pieces joined are exactly what decoding all tokens at once gives. With byte-fallback
/// tokens Hugging Face replaces a whole run of bytes if any of it is invalid, so such a run is
/// held back until it ends.
package struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecial: Bool
    /// Bytes that are not a whole character yet, or a run of byte tokens.
    private var pending: [UInt8] = []
    private var stripsLeft: Int
    private var isFirst = true

    /// A decoder at the beginning of a text.
    package init(_ tokenizer: Tokenizer, skippingSpecial: Bool = false) {
        (self.tokenizer, skipsSpecial) = (tokenizer, skippingSpecial)
        stripsLeft = tokenizer.decoder.stripCount
    }

    /// Takes a token; gives the text that is certain now. Unknown ids are no text.
    package mutating func push(_ id: Int32) -> String {
        var output: [UInt8] = []
        append(id, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Takes the end; gives what was held back. The decoder is at a beginning again.
    package mutating func finish() -> String {
        var output: [UInt8] = []
        flush(into: &output)
        isFirst = true
        stripsLeft = tokenizer.decoder.stripCount
        return String(decoding: output, as: UTF8.self)
    }

    /// Takes many tokens and the end.
    mutating func decode(_ ids: some Sequence<Int32>) -> String {
        var output: [UInt8] = []
        for id in ids { append(id, to: &output) }
        flush(into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private mutating func append(_ id: Int32, to output: inout [UInt8]) {
        if let added = tokenizer.added.byId[id] {
            if skipsSpecial && added.isSpecial {
                if tokenizer.decoder.restartsAtAddedTokens { restart(&output) }
                return
            }
            append(added: added, to: &output)
        } else if let token = tokenizer.model.vocabulary.token(Int(id)) {
            if tokenizer.decoder.isByteLevel {
                appendBytes(token, to: &output)
            } else {
                append(piece: token, to: &output)
            }
        }
    }

    private mutating func append(added: AddedToken, to output: inout [UInt8]) {
        let content = Array(added.content.utf8)
        if tokenizer.decoder.isByteLevel {
            appendBytes((ByteAlphabet.decode(content) ?? content)[...], to: &output)
        } else if tokenizer.decoder.restartsAtAddedTokens {
            restart(&output)
            output += content
        } else {
            append(piece: content[...], to: &output)
        }
    }

    private mutating func restart(_ output: inout [UInt8]) {
        flush(into: &output)
        isFirst = true
        stripsLeft = tokenizer.decoder.stripCount
    }

    private mutating func appendBytes(_ token: ArraySlice<UInt8>, to output: inout [UInt8]) {
        pending += token
        let tail = UTF8Repair.incompleteTail(of: pending)
        UTF8Repair.append(pending.dropLast(tail), to: &output)
        pending.removeFirst(pending.count - tail)
    }

    private mutating func append(piece: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let decoder = tokenizer.decoder
        if decoder.usesByteFallback, let byte = TokenDecoder.byteValue(of: piece) {
            pending.append(byte)
            isFirst = false
            return
        }
        flush(into: &output)
        var text = Array(piece)
        if let (mark, dropsFirst) = decoder.metaspace {
            text = text.replacingAll(mark, with: isFirst && dropsFirst ? [] : [0x20])
        }
        for replacement in decoder.replacements {
            text = text.replacingAll(replacement.pattern, with: replacement.content)
        }
        isFirst = false
        emit(text[...], to: &output)
    }

    /// Gives out text, without what is stripped from the beginning.
    private mutating func emit(_ text: ArraySlice<UInt8>, to output: inout [UInt8]) {
        var text = text
        while stripsLeft > 0, let first = text.first {
            guard first == tokenizer.decoder.stripped else {
                stripsLeft = 0
                break
            }
            text.removeFirst()
            stripsLeft -= 1
        }
        output += text
    }

    private mutating func flush(into output: inout [UInt8]) {
        guard !pending.isEmpty else { return }
        var text: [UInt8] = []
        let decoder = tokenizer.decoder
        if decoder.isByteLevel {
            UTF8Repair.append(pending[...], to: &text)
        } else if decoder.restartsAtAddedTokens {
            UTF8Repair.appendBytewise(pending, to: &text)
        } else if String(validating: pending, as: UTF8.self) != nil {
            text = pending
        } else {
            for _ in pending { text += UTF8Repair.replacement }
        }
        pending.removeAll()
        if decoder.isByteLevel { output += text } else { emit(text[...], to: &output) }
    }
}

extension [UInt8] {
    /// The bytes with one string in place of another.
    func replacingAll(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
        guard let first = pattern.first, contains(first) else { return self }
        var (result, position) = ([UInt8](), 0)
        while position < count {
            if self[position] == first, self[position...].starts(with: pattern) {
                result += content
                position += pattern.count
            } else {
                result.append(self[position])
                position += 1
            }
        }
        return result
    }
}

/// Making UTF-8 of bytes that may not be.
enum UTF8Repair {
    static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

    /// How many bytes at the end are the beginning of a character.
    static func incompleteTail(of bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xc0 == 0x80 { continue }
            let isPrefix =
                lead >= 0xc2 && lead < 0xf5 && length < UTF8Scalars.width(lead)
                && (length == 1 || isSecond(bytes[bytes.count - length + 1], after: lead))
            return isPrefix ? length : 0
        }
        return 0
    }

    /// Whether a byte may follow the first of a character (Unicode, table 3-7).
    private static func isSecond(_ byte: UInt8, after lead: UInt8) -> Bool {
        switch lead {
        case 0xe0: (0xa0...0xbf).contains(byte)
        case 0xed: (0x80...0x9f).contains(byte)
        case 0xf0: (0x90...0xbf).contains(byte)
        case 0xf4: (0x80...0x8f).contains(byte)
        default: (0x80...0xbf).contains(byte)
        }
    }

    /// Appends bytes, with U+FFFD for each longest part that begins a character and is none.
    static func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
        if bytes.allSatisfy({ $0 < 0x80 }) {
            output += bytes
        } else {
            output += Array(String(decoding: bytes, as: UTF8.self).utf8)
        }
    }

    /// Appends bytes, with U+FFFD for each byte that is not a part of a whole character.
    static func appendBytewise(_ bytes: [UInt8], to output: inout [UInt8]) {
        var position = 0
        while position < bytes.count {
            let width = UTF8Scalars.width(bytes[position])
            let end = min(position + width, bytes.count)
            if String(validating: bytes[position..<end], as: UTF8.self) != nil {
                output += bytes[position..<end]
                position = end
            } else {
                output += replacement
                position += 1
            }
        }
    }
}
