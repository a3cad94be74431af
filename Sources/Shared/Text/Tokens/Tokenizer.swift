import Base

/// Text as tokens and tokens as text.
///
/// Reads what Hugging Face's `tokenizers` and SentencePiece write, and gives the same ids.
/// Immutable but for caches; any number of threads may use one at a time.
package final class Tokenizer: Sendable {
    let model: BytePairModel
    let added: AddedTokens
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let decoder: TokenDecoder
    /// What is put around each text.
    let prefix, suffix: [Int32]
    /// The tokens that tokenizer files name by their role.
    package let roles: TokenRoles

    /// Memory that encoding needs; taken for a call, and given back.
    private let workspaces = Lock<[Workspace]>([])
    private static let workspacesMax = 4

    /// Texts are at most this long, so that positions fit 32 bits.
    package static let textBytesMax = 1 << 28

    init(_ parts: TokenizerParts) throws(TokenizerError) {
        (model, normalizer) = (parts.model, parts.normalizer)
        (preTokenizer, decoder) = (parts.preTokenizer, parts.decoder)
        (prefix, suffix, roles) = (parts.prefix, parts.suffix, parts.roles)
        var added = AddedTokens()
        var scratch = MatchScratch()
        for token in parts.added {
            var content = AlignedText(isTracking: false)
            Array(token.content.utf8).withUnsafeBufferPointer { content.load($0, offset: 0) }
            scratch.start(textBytes: content.bytes.count)
            try parts.normalizer?.apply(to: &content, &scratch)
            added.insert(token, normalizedContent: content.bytes)
        }
        self.added = added
    }

    /// One more than the largest id.
    package var count: Int {
        max(model.vocabulary.count, (added.byId.keys.max().map { Int($0) } ?? -1) + 1)
    }

    /// The id of a token as the files write it; nil if there is none.
    package func id(of token: String) -> Int32? {
        if let id = added.idsByContent[token] { return id }
        let bytes = Array(token.utf8)
        return model.vocabulary.id(
            of: model.options.isByteLevel ? ByteAlphabet.decode(bytes) ?? bytes : bytes)
    }

    /// The added token of this id; nil if it is none.
    package func addedToken(_ id: Int32) -> AddedToken? { added.byId[id] }

    /// The tokens of `text`.
    package func encode(
        _ text: String, _ options: EncodeOptions = EncodeOptions()
    ) throws(TokenizerError) -> Encoding {
        var text = text
        text.makeContiguousUTF8()
        guard text.utf8.count <= Self.textBytesMax else {
            throw .tooMany(
                what: "bytes of text", count: text.utf8.count, countMax: Self.textBytesMax)
        }
        var workspace = workspaces.with { $0.popLast() } ?? Workspace()
        workspace.start(options, textBytes: text.utf8.count)
        // `withUTF8` passes errors on untyped.
        let outcome: Result<Void, TokenizerError> = text.withUTF8 { bytes in
            Result { () throws(TokenizerError) in try encode(bytes, &workspace) }
        }
        let encoding = workspace.finish()
        workspaces.with { if $0.count < Self.workspacesMax { $0.append(workspace) } }
        try outcome.get()
        return encoding
    }

    private func encode(
        _ text: UnsafeBufferPointer<UInt8>, _ workspace: inout Workspace
    ) throws(TokenizerError) {
        if workspace.options.addsSpecial { workspace.append(prefix, at: 0) }
        for segment in added.segments(
            of: text, normalized: false, options: workspace.options)
        {
            if segment.id >= 0 {
                workspace.append(segment.id, segment.start..<segment.end)
            } else {
                let piece = UnsafeBufferPointer(rebasing: text[segment.start..<segment.end])
                try encode(piece: piece, offset: segment.start, &workspace)
            }
        }
        if workspace.options.addsSpecial { workspace.append(suffix, at: text.count) }
    }

    /// Encodes text between added tokens.
    private func encode(
        piece: UnsafeBufferPointer<UInt8>, offset: Int, _ workspace: inout Workspace
    ) throws(TokenizerError) {
        workspace.text.load(piece, offset: offset)
        try normalizer?.apply(to: &workspace.text, &workspace.scratch)
        guard !added.normalized.isEmpty else {
            return try encodeNormalized(isFirst: offset == 0, &workspace)
        }
        let text = workspace.text
        let segments = text.bytes.withUnsafeBufferPointer {
            added.segments(of: $0, normalized: true)
        }
        for segment in segments {
            if segment.id >= 0 {
                workspace.append(segment.id, text.original(segment.start..<segment.end))
            } else {
                workspace.text = text.part(segment.start..<segment.end)
                let isFirst = offset == 0 && segment.start == 0
                try encodeNormalized(isFirst: isFirst, &workspace)
            }
        }
    }

    private func encodeNormalized(
        isFirst: Bool, _ workspace: inout Workspace
    ) throws(TokenizerError) {
        guard !workspace.text.bytes.isEmpty else { return }
        var words = [0..<workspace.text.bytes.count]
        try preTokenizer?.apply(
            to: &workspace.text, &words, isFirst: isFirst, &workspace.scratch)
        model.merges.withView { merges in
            for word in words where !word.isEmpty { workspace.encode(word, model, merges) }
        }
    }

    /// The text of `ids`; ids without a token are no text.
    ///
    /// - Parameter skippingSpecial: leaves out special tokens such as `</s>`
    package func decode(_ ids: some Sequence<Int32>, skippingSpecial: Bool = false) -> String {
        var decoder = StreamDecoder(self, skippingSpecial: skippingSpecial)
        return decoder.decode(ids)
    }
}

/// What `Tokenizer.encode` shall do.
package struct EncodeOptions: Sendable {
    /// Whether to add what the post-processor adds, such as `<s>`.
    package var addsSpecial = true
    /// Whether to say where each token comes from.
    package var wantsRanges = false
    /// Bytes of the text, in order, where the added tokens `literalIds` are text like any other.
    package var literals: [Range<Int>] = []
    package var literalIds: Set<Int32> = []

    package init(addsSpecial: Bool = true, wantsRanges: Bool = false) {
        (self.addsSpecial, self.wantsRanges) = (addsSpecial, wantsRanges)
    }
}

/// Tokens, and where they come from.
package struct Encoding: Sendable, Hashable {
    package var ids: [Int32] = []
    /// For each token, the bytes of the text that it stands for; empty for tokens that stand for
    /// none, and if ranges were not asked for.
    package var ranges: [Range<Int>] = []
}

/// The tokens that have a role; nil where the files name none.
package struct TokenRoles: Sendable, Hashable {
    package var begin, end, pad, unknown: String?
}

/// What a tokenizer is made of.
struct TokenizerParts {
    var model: BytePairModel
    var added: [AddedToken] = []
    var normalizer: Normalizer?
    var preTokenizer: PreTokenizer?
    var decoder = TokenDecoder()
    var prefix: [Int32] = []
    var suffix: [Int32] = []
    var roles = TokenRoles()
}
