/// Builds a model from a vocabulary and merges as JSON has them.
struct BytePairReader {
    let node: JSONNode
    let isByteLevel: Bool
    let file: String

    private func malformed(_ place: String, _ why: String) -> TokenizerError {
        .malformed(file: file, place: place, why: why)
    }

    func model() throws(TokenizerError) -> BytePairModel {
        try checkOptions()
        guard let vocab = node["vocab"], vocab.isObject, let list = node["merges"], list.isArray
        else {
            throw malformed("model", "needs the object vocab and the array merges")
        }
        var model = try Self.model(vocabulary: vocab, isByteLevel: isByteLevel, file: file)
        model.merges = MergeTable(expecting: list.count)
        for (rank, merge) in list.elements.enumerated() {
            let halves = Self.halves(of: merge)
            guard halves.count == 2 else {
                throw malformed("merge \(rank)", "needs two tokens, has \(merge.sample)")
            }
            try Self.add(halves[0], halves[1], rank: rank, to: &model, file: file)
        }
        model.options.usesByteFallback = node["byte_fallback"]?.bool ?? false
        model.options.fusesUnknown = node["fuse_unk"]?.bool ?? false
        model.options.ignoresMerges = node["ignore_merges"]?.bool ?? false
        if let unknown = node["unk_token"]?.string {
            guard let id = model.vocabulary.id(of: Self.bytes(Array(unknown.utf8), isByteLevel))
            else {
                throw malformed("unk_token", "'\(unknown)' is not in the vocabulary")
            }
            model.options.unknown = id
        }
        model.options.cutsAtMark = model.canCutAtMark
        return model
    }

    private func checkOptions() throws(TokenizerError) {
        if let type = node["type"]?.string, type != "BPE" {
            throw .unsupported(place: "model", seen: type, allowed: ["BPE"])
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = node[name]?.string, !text.isEmpty {
                throw .unsupported(place: name, seen: text, allowed: ["none"])
            }
        }
        if let dropout = node["dropout"]?.double, dropout != 0 {
            throw .unsupported(place: "dropout", seen: String(dropout), allowed: ["none"])
        }
    }

    /// Merges are written `"a b"` or `["a", "b"]`.
    private static func halves(of merge: JSONNode) -> [[UInt8]] {
        if merge.isArray { return merge.elements.map(\.stringBytes) }
        return merge.stringBytes.split(separator: 0x20, omittingEmptySubsequences: false)
            .map { Array($0) }
    }

    /// A token as the model sees it.
    static func bytes(_ written: [UInt8], _ isByteLevel: Bool) -> [UInt8] {
        isByteLevel ? ByteAlphabet.decode(written) ?? written : written
    }

    /// A model without merges.
    static func model(
        vocabulary vocab: JSONNode, isByteLevel: Bool, file: String
    ) throws(TokenizerError) -> BytePairModel {
        var vocabulary = Vocabulary(expecting: vocab.count)
        for (key, value) in vocab.members {
            let written = key.stringBytes
            let decoded = isByteLevel ? ByteAlphabet.decode(written) : written
            guard let id = value.int,
                try vocabulary.insert(decoded ?? written, id: id, isReachable: decoded != nil)
            else {
                throw .malformed(
                    file: file, place: "vocab",
                    why: "'\(key.string ?? "")' needs an id of its own, has \(value.sample)")
            }
        }
        return BytePairModel(vocabulary: vocabulary, isByteLevel: isByteLevel)
    }

    static func add(
        _ left: [UInt8], _ right: [UInt8], rank: Int, to model: inout BytePairModel, file: String
    ) throws(TokenizerError) {
        let isByteLevel = model.options.isByteLevel
        let (left, right) = (bytes(left, isByteLevel), bytes(right, isByteLevel))
        let vocabulary = model.vocabulary
        guard let first = vocabulary.id(of: left), let second = vocabulary.id(of: right),
            let joined = vocabulary.id(of: left + right)
        else {
            let name = String(decoding: left + [0x20] + right, as: UTF8.self)
            throw .malformed(
                file: file, place: "merge \(rank)",
                why: "'\(name)' and what it gives must be in the vocabulary")
        }
        model.merges.insert(first, second, rank: rank, becomes: joined)
    }
}

extension BytePairModel {
    /// A model without merges.
    init(vocabulary: Vocabulary, isByteLevel: Bool) {
        self.vocabulary = vocabulary
        merges = MergeTable(expecting: 0)
        options.isByteLevel = isByteLevel
        byteIds = (0..<256).map { byte in
            let hex = String(byte, radix: 16, uppercase: true)
            let name = "<0x\(byte < 16 ? "0" : "")\(hex)>"
            return vocabulary.id(of: isByteLevel ? [UInt8(byte)] : Array(name.utf8)) ?? -1
        }
    }

    /// Whether words may be cut before each U+2581 that follows something else: then no merge
    /// reaches over such a place, and waiting unknown characters end there.
    var canCutAtMark: Bool {
        guard !options.isByteLevel, !options.ignoresMerges,
            vocabulary.id(of: Array("▁".utf8)) != nil
        else { return false }
        let mark = Array("▁".utf8)
        for id in 0..<vocabulary.count {
            guard let token = vocabulary.token(id), token.count > 3 else { continue }
            var hasOther = false
            var position = token.startIndex
            while position < token.endIndex {
                let isMark = token[position...].starts(with: mark)
                if isMark, hasOther { return false }
                hasOther = hasOther || !isMark
                position += isMark ? 3 : 1
            }
        }
        return true
    }
}
