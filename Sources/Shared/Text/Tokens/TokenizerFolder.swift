package import Base

/// The tokenizer files of a model's folder.
struct TokenizerFolder {
    private let path: String
    private let config: JSONNode?
    private let specialTokens: JSONNode?

    private static let fileBytesMax = 256 << 20

    init(path: String) throws(TokenizerError) {
        self.path = path
        config = try Self.json(path, "tokenizer_config.json")
        specialTokens = try Self.json(path, "special_tokens_map.json")
    }

    /// A file of the folder; nil if there is none.
    static func file(_ folder: String, _ name: String) throws(TokenizerError) -> Bytes? {
        // One byte more tells a file that is too large.
        switch SmallFile.read("\(folder)/\(name)", bytesMax: fileBytesMax + 1) {
        case .success(let bytes):
            guard bytes.count <= fileBytesMax else {
                throw .tooMany(what: "bytes of \(name)", count: bytes.count, countMax: fileBytesMax)
            }
            return bytes
        case .failure(let error) where error.code == 2: return nil
        case .failure(let error): throw .unreadable(file: name, why: error.words)
        }
    }

    /// A JSON file of the folder; nil if there is none.
    static func json(_ folder: String, _ name: String) throws(TokenizerError) -> JSONNode? {
        guard let bytes = try file(folder, name) else { return nil }
        return try TokenizerFile.document(bytes, name: name).root
    }

    func parts() throws(TokenizerError) -> TokenizerParts {
        var parts = try fileParts()
        parts.roles = TokenRoles(
            begin: role("bos_token"), end: role("eos_token"), pad: role("pad_token"),
            unknown: role("unk_token"))
        return parts
    }

    private func fileParts() throws(TokenizerError) -> TokenizerParts {
        if let bytes = try Self.file(path, "tokenizer.json") {
            return try TokenizerFile(bytes).parts()
        }
        if let bytes = try Self.file(path, SentencePieceFile.name) {
            let model = try SentencePieceFile(bytes)
            let added = try addedTokens(besides: model.controlTokens)
            let begin = role("bos_token") ?? "<s>"
            let addsBegin = config?["add_bos_token"]?.bool ?? true
            return try model.parts(
                added: added, addsBegin: addsBegin ? added.first { $0.content == begin }?.id : nil)
        }
        if let vocab = try Self.json(path, "vocab.json"),
            let merges = try Self.file(path, "merges.txt")
        {
            return try ByteLevelFiles.parts(vocab, merges, added: try addedTokens(besides: []))
        }
        throw .missing(files: [
            "tokenizer.json", SentencePieceFile.name, "vocab.json and merges.txt",
        ])
    }

    /// The text of a token with a role: written as a string, or as an object with flags.
    private func role(_ name: String) -> String? {
        for node in [config?[name], specialTokens?[name]].compactMap({ $0 }) {
            if let text = node.string ?? node["content"]?.string { return text }
        }
        return nil
    }

    /// Added tokens from the files that list them; the most detailed list counts.
    private func addedTokens(besides own: [AddedToken]) throws(TokenizerError) -> [AddedToken] {
        var byId: [Int32: AddedToken] = [:]
        for token in own { byId[token.id] = token }
        for (key, value) in try Self.json(path, "added_tokens.json")?.members.map({ $0 }) ?? [] {
            guard let content = key.string, let id = value.int.flatMap({ Int32(exactly: $0) })
            else {
                continue
            }
            byId[id] = AddedToken(id: id, content: content)
        }
        for (key, value) in config?["added_tokens_decoder"]?.members.map({ $0 }) ?? [] {
            guard let id = key.string.flatMap({ Int32($0) }), let content = value["content"]?.string
            else {
                throw .malformed(
                    file: "tokenizer_config.json", place: "added_tokens_decoder",
                    why: "needs ids with a content, has \(key.sample): \(value.sample)")
            }
            byId[id] = AddedToken(id: id, content: content, flags: value)
        }
        for id in byId.keys where id < 0 || id > Vocabulary.idMax {
            throw .tooMany(what: "as a token id", count: Int(id), countMax: Vocabulary.idMax)
        }
        return byId.values.sorted { $0.id < $1.id }
    }
}

/// `vocab.json` and `merges.txt`, which stand for a byte-level tokenizer as Qwen2 has it.
enum ByteLevelFiles {
    static let qwenPattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
        + #"\s*[\r\n]+|\s+(?!\S)|\s+"#

    static func parts(
        _ vocab: JSONNode, _ merges: Bytes, added: [AddedToken]
    ) throws(TokenizerError) -> TokenizerParts {
        var model = try BytePairReader.model(
            vocabulary: vocab, isByteLevel: true, file: "vocab.json")
        model.merges = MergeTable(expecting: vocab.count)
        let lines = Array(merges).split(separator: 0x0a).filter {
            !$0.starts(with: "#version".utf8)
        }
        for (rank, line) in lines.enumerated() {
            let halves = line.split(separator: 0x20)
            guard halves.count == 2 else {
                let seen = String(decoding: line.prefix(40), as: UTF8.self)
                throw .malformed(
                    file: "merges.txt", place: "merge \(rank)",
                    why: "needs two tokens, has '\(seen)'")
            }
            try BytePairReader.add(
                Array(halves[0]), Array(halves[1]), rank: rank, to: &model, file: "merges.txt")
        }
        var parts = TokenizerParts(model: model)
        parts.added = added
        parts.normalizer = .compose
        parts.preTokenizer = .sequence([
            .split(try Pattern(qwenPattern), .isolated, isInverted: false),
            .byteLevel(addsPrefixSpace: false, nil),
        ])
        parts.decoder.isByteLevel = true
        return parts
    }
}

extension TokenizerParts {
    fileprivate mutating func add(special content: String) {
        guard !added.contains(where: { $0.content == content }) else { return }
        let last = added.map(\.id).max() ?? -1
        let next = max(Int32(clamping: model.vocabulary.count), last + 1)
        added.append(AddedToken(id: next, content: content))
    }
}

extension Tokenizer {
    /// Reads the tokenizer of a model's folder: `tokenizer.json`, else `tokenizer.model`, else
    /// `vocab.json` with `merges.txt`; roles and added tokens from the files beside them.
    ///
    /// - Parameter special: special tokens that get new ids after all others unless the files have
    ///   them: placeholders of models whose own code kept them out of the tokenizer
    package convenience init(
        folder: String, adding special: [String] = []
    ) throws(TokenizerError) {
        var parts = try TokenizerFolder(path: folder).parts()
        for content in special { parts.add(special: content) }
        try self.init(parts)
    }

    /// Reads a `tokenizer.json`.
    package convenience init(json: Bytes) throws(TokenizerError) {
        try self.init(try TokenizerFile(json).parts())
    }

    /// Reads a `tokenizer.model`; its control pieces are the only added tokens.
    package convenience init(sentencePiece: Bytes) throws(TokenizerError) {
        let file = try SentencePieceFile(sentencePiece)
        try self.init(try file.parts(added: file.controlTokens, addsBegin: nil))
    }
}
