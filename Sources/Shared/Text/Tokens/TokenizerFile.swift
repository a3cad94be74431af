import Base

/// Reads `tokenizer.json`.
struct TokenizerFile {
    let root: JSONNode
    private static let name = "tokenizer.json"

    init(_ bytes: Bytes) throws(TokenizerError) {
        try self.init(root: Self.document(bytes, name: Self.name).root)
    }

    init(root: JSONNode) throws(TokenizerError) {
        self.root = root
        guard root.isObject else { throw Self.malformed("", "needs an object, has \(root.sample)") }
    }

    /// Parses a file.
    static func document(_ bytes: Bytes, name: String) throws(TokenizerError) -> JSONDocument {
        do throws(JSONError) {
            return try JSONDocument(bytes)
        } catch {
            throw .malformed(file: name, place: "byte \(error.offset)", why: error.why)
        }
    }

    static func malformed(_ place: String, _ why: String) -> TokenizerError {
        .malformed(file: name, place: place, why: why)
    }

    /// Everything that the file describes.
    ///
    /// Truncation and padding are left out on purpose: cutting a text silently loses answers.
    func parts() throws(TokenizerError) -> TokenizerParts {
        let preTokenizer = try present("pre_tokenizer").read(Self.preTokenizer)
        let isByteLevel = preTokenizer?.hasByteLevel ?? false
        guard let model = root["model"], model.isObject else {
            throw Self.malformed("model", "needs an object")
        }
        let reader = BytePairReader(node: model, isByteLevel: isByteLevel, file: Self.name)
        var parts = TokenizerParts(model: try reader.model())
        parts.preTokenizer = preTokenizer
        parts.normalizer = try present("normalizer").read(Self.normalizer)
        parts.added = try addedTokens()
        let decoders = try DecoderReader.steps(present("decoder"))
        parts.decoder = try DecoderReader.decoder(of: decoders)
        guard parts.decoder.isByteLevel == isByteLevel else {
            throw .unsupported(
                place: "decoder", seen: present("decoder")?.sample ?? "null",
                allowed: ["ByteLevel together with the pre-tokenizer ByteLevel, or neither"])
        }
        if let processor = present("post_processor") { try Self.surround(&parts, processor) }
        return parts
    }

    private func present(_ name: String) -> JSONNode? {
        root[name].flatMap { $0.isNull ? nil : $0 }
    }

    private func addedTokens() throws(TokenizerError) -> [AddedToken] {
        guard let list = present("added_tokens") else { return [] }
        var tokens: [AddedToken] = []
        for node in list.elements {
            guard let id = node["id"]?.int, (0...Vocabulary.idMax).contains(id),
                let content = node["content"]?.string
            else {
                throw Self.malformed(
                    "added_tokens",
                    "needs id up to \(Vocabulary.idMax) and content, has \(node.sample)")
            }
            tokens.append(AddedToken(id: Int32(id), content: content, flags: node))
        }
        return tokens
    }

    // MARK: Normalizers

    private static func normalizer(_ node: JSONNode) throws(TokenizerError) -> Normalizer {
        switch node["type"]?.string {
        case "Sequence":
            var steps: [Normalizer] = []
            for child in try children(of: node, "normalizers") {
                steps.append(try normalizer(child))
            }
            return .sequence(steps)
        case "Prepend": return .prepend(try bytes("prepend", of: node))
        case "Replace":
            let content = try bytes("content", of: node)
            if let source = node["pattern"]?["Regex"]?.string {
                return .replaceMatches(try Pattern(source), with: content)
            }
            return .replace(try pattern(of: node), with: content)
        case "NFC": return .compose
        case "Strip":
            return .strip(
                left: node["strip_left"]?.bool ?? true, right: node["strip_right"]?.bool ?? true)
        case let type:
            if let mapping = type.flatMap({ Normalizer.Mapping(rawValue: $0) }) {
                return .mapped(mapping)
            }
            throw unsupported(
                "normalizer", node,
                [
                    "Sequence", "Prepend", "Replace", "NFC", "NFD", "NFKC", "NFKD", "Lowercase",
                    "Strip",
                ])
        }
    }

    static func unsupported(
        _ place: String, _ node: JSONNode, _ allowed: [String]
    ) -> TokenizerError {
        .unsupported(
            place: place, seen: node["type"]?.string ?? node["type"]?.sample ?? node.sample,
            allowed: allowed)
    }

    static func children(of node: JSONNode, _ name: String) throws(TokenizerError) -> [JSONNode] {
        guard let list = node[name], list.isArray else {
            throw malformed(name, "needs an array")
        }
        return Array(list.elements)
    }

    static func bytes(_ name: String, of node: JSONNode) throws(TokenizerError) -> [UInt8] {
        guard let value = node[name], value.isString else {
            throw malformed(name, "needs a string in \(node["type"]?.string ?? node.sample)")
        }
        return value.stringBytes
    }

    /// The literal pattern of a Replace or Split.
    static func pattern(of node: JSONNode) throws(TokenizerError) -> [UInt8] {
        guard let pattern = node["pattern"], let literal = pattern["String"], literal.isString
        else {
            throw malformed("pattern", "needs {\"String\": …} or {\"Regex\": …}")
        }
        return literal.stringBytes
    }

    // MARK: Pre-tokenizers

    private static let wordPattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    private static func preTokenizer(_ node: JSONNode) throws(TokenizerError) -> PreTokenizer {
        switch node["type"]?.string {
        case "Sequence":
            var steps: [PreTokenizer] = []
            for child in try children(of: node, "pretokenizers") {
                steps.append(try preTokenizer(child))
            }
            return .sequence(steps)
        case "ByteLevel":
            let usesPattern = node["use_regex"]?.bool ?? true
            return .byteLevel(
                addsPrefixSpace: node["add_prefix_space"]?.bool ?? true,
                usesPattern ? try Pattern(wordPattern) : nil)
        case "Metaspace": return .metaspace(try metaspace(node))
        case "Split": return try split(node)
        case "Digits":
            let pattern = try Pattern(
                node["individual_digits"]?.bool == true ? #"\p{N}"# : #"\p{N}+"#)
            return .split(pattern, .isolated, isInverted: false)
        case "WhitespaceSplit":
            return .split(try Pattern(#"\s+"#), .removed, isInverted: false)
        default:
            throw unsupported(
                "pre_tokenizer", node,
                ["Sequence", "ByteLevel", "Metaspace", "Split", "Digits", "WhitespaceSplit"])
        }
    }

    private static func split(_ node: JSONNode) throws(TokenizerError) -> PreTokenizer {
        guard let name = node["behavior"]?.string,
            let behavior = PreTokenizer.Behavior(rawValue: name)
        else {
            throw .unsupported(
                place: "behavior of Split", seen: node["behavior"]?.sample ?? "missing",
                allowed: PreTokenizer.Behavior.allCases.map(\.rawValue))
        }
        let compiled: Pattern
        if let source = node["pattern"]?["Regex"]?.string {
            compiled = try Pattern(source)
        } else {
            let literal = String(decoding: try pattern(of: node), as: UTF8.self)
            compiled = try Pattern(
                literal.unicodeScalars.map { "\\x{" + String($0.value, radix: 16) + "}" }.joined())
        }
        return .split(compiled, behavior, isInverted: node["invert"]?.bool ?? false)
    }

    static func metaspace(_ node: JSONNode) throws(TokenizerError) -> PreTokenizer.Metaspace {
        let mark = node["replacement"]?.string ?? "▁"
        // Older files say whether a blank is added, newer ones also where.
        let implied = node["add_prefix_space"]?.bool == false ? "never" : "always"
        let name = node["prepend_scheme"]?.string ?? implied
        guard mark.unicodeScalars.count == 1, let scalar = mark.unicodeScalars.first,
            let scheme = PreTokenizer.Metaspace.Scheme(rawValue: name)
        else {
            throw .unsupported(
                place: "Metaspace", seen: "replacement '\(mark)', prepend_scheme '\(name)'",
                allowed: ["one character"]
                    + PreTokenizer.Metaspace.Scheme.allCases.map(\.rawValue))
        }
        return try PreTokenizer.Metaspace(
            mark: scalar, scheme: scheme, splits: node["split"]?.bool ?? true)
    }

    // MARK: Post-processors

    private static func surround(
        _ parts: inout TokenizerParts, _ node: JSONNode
    ) throws(TokenizerError) {
        switch node["type"]?.string {
        case "Sequence":
            for child in try children(of: node, "processors") { try surround(&parts, child) }
        case "ByteLevel": break  // It trims ranges, which a loss mask must not do.
        case "TemplateProcessing": try template(&parts, node)
        case "BertProcessing", "RobertaProcessing":
            let pair = { (name: String) in node[name].flatMap { Array($0.elements).last?.int } }
            guard let first = pair("cls"), let last = pair("sep"),
                let begin = Int32(exactly: first), let end = Int32(exactly: last)
            else { throw malformed("post_processor", "needs cls and sep") }
            (parts.prefix, parts.suffix) = ([begin] + parts.prefix, parts.suffix + [end])
        default:
            throw unsupported(
                "post_processor", node,
                [
                    "Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing",
                    "RobertaProcessing",
                ])
        }
    }

    private static func template(
        _ parts: inout TokenizerParts, _ node: JSONNode
    ) throws(TokenizerError) {
        var (before, after, hasText) = ([Int32](), [Int32](), false)
        for piece in try children(of: node, "single") {
            if piece["Sequence"] != nil {
                hasText = true
            } else if let name = piece["SpecialToken"]?["id"]?.string,
                let ids = node["special_tokens"]?[name]?["ids"]
            {
                let added = ids.elements.compactMap { $0.int.flatMap { Int32(exactly: $0) } }
                if hasText { after += added } else { before += added }
            } else {
                throw malformed("post_processor", "has a piece that is \(piece.sample)")
            }
        }
        guard hasText else { throw malformed("post_processor", "leaves out the text") }
        (parts.prefix, parts.suffix) = (before + parts.prefix, parts.suffix + after)
    }
}

extension AddedToken {
    /// A token with the flags that tokenizer files write.
    init(id: Int32, content: String, flags: JSONNode) {
        self.init(id: id, content: content)
        takesLeft = flags["lstrip"]?.bool ?? false
        takesRight = flags["rstrip"]?.bool ?? false
        isSingleWord = flags["single_word"]?.bool ?? false
        isSpecial = flags["special"]?.bool ?? false
        isNormalized = flags["normalized"]?.bool ?? !isSpecial
    }
}

extension PreTokenizer {
    /// Whether words become bytes.
    var hasByteLevel: Bool {
        switch self {
        case .sequence(let steps): steps.contains(where: \.hasByteLevel)
        case .byteLevel: true
        case .split, .metaspace: false
        }
    }
}

extension Optional {
    /// What `transform` makes of the value; nil if there is none.
    fileprivate func read<R>(
        _ transform: (Wrapped) throws(TokenizerError) -> R
    ) throws(TokenizerError) -> R? {
        guard let self else { return nil }
        return try transform(self)
    }
}
