import Base

/// Reads `tokenizer.model`: a SentencePiece model of type BPE, which is a protobuf message.
struct SentencePieceFile {
    private(set) var pieces: [Piece] = []
    private var modelType = 1
    private var addsDummyPrefix = true
    private var removesBlanks = true
    private var escapesBlanks = true
    private var hasCharacterMap = false
    private(set) var usesByteFallback = false

    static let name = "tokenizer.model"
    private static let piecesMax = 1 << 21
    private static let pieceBytesMax = 256

    /// One entry of the vocabulary; its id is its place.
    struct Piece {
        var text: [UInt8] = []
        var score: Float = 0
        var kind = Kind.normal
    }

    enum Kind: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }

    init(_ bytes: Bytes) throws(TokenizerError) {
        let fields = try ProtobufFields.fields(of: Array(bytes)[...])
        for field in fields {
            switch (field.number, field.value) {
            case (1, .bytes(let message)): pieces.append(try Self.piece(message))
            case (2, .bytes(let message)): try readTrainer(message)
            case (3, .bytes(let message)): try readNormalizer(message)
            default: break
            }
        }
        guard pieces.count <= Self.piecesMax else {
            throw .tooMany(what: "pieces", count: pieces.count, countMax: Self.piecesMax)
        }
        try check()
    }

    private static func piece(_ message: ArraySlice<UInt8>) throws(TokenizerError) -> Piece {
        var piece = Piece()
        for field in try ProtobufFields.fields(of: message) {
            switch (field.number, field.value) {
            case (1, .bytes(let text)):
                guard text.count <= pieceBytesMax else {
                    throw .tooMany(
                        what: "bytes of a piece", count: text.count, countMax: pieceBytesMax)
                }
                // Tokens are text: what is not UTF-8 is repaired once, here.
                piece.text = Array(String(decoding: text, as: UTF8.self).utf8)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint(let number)):
                guard let kind = Kind(rawValue: number) else {
                    throw .unsupported(
                        place: "type of a piece", seen: String(number), allowed: ["1 to 6"])
                }
                piece.kind = kind
            default: break
            }
        }
        return piece
    }

    private mutating func readTrainer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
        for field in try ProtobufFields.fields(of: message) {
            guard case .varint(let value) = field.value else { continue }
            if field.number == 3 { modelType = Int(clamping: value) }
            if field.number == 35 { usesByteFallback = value != 0 }
        }
    }

    private mutating func readNormalizer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
        for field in try ProtobufFields.fields(of: message) {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): hasCharacterMap = !map.isEmpty
            case (3, .varint(let value)): addsDummyPrefix = value != 0
            case (4, .varint(let value)): removesBlanks = value != 0
            case (5, .varint(let value)): escapesBlanks = value != 0
            default: break
            }
        }
    }

    private func check() throws(TokenizerError) {
        guard !pieces.isEmpty else {
            throw .malformed(file: Self.name, place: "", why: "has no pieces")
        }
        guard modelType == 2 else {
            throw .unsupported(
                place: "model_type", seen: modelType == 1 ? "UNIGRAM" : String(modelType),
                allowed: ["BPE"])
        }
        guard !hasCharacterMap, !removesBlanks, escapesBlanks else {
            throw .unsupported(
                place: "normalizer_spec",
                seen:
                    "character map: \(hasCharacterMap), remove_extra_whitespaces: \(removesBlanks),"
                    + " escape_whitespaces: \(escapesBlanks)",
                allowed: ["identity, false, true"])
        }
    }

    /// A tokenizer with these added tokens.
    func parts(added: [AddedToken], addsBegin: Int32?) throws(TokenizerError) -> TokenizerParts {
        var parts = TokenizerParts(model: try model())
        parts.added = added
        let mark = Array("▁".utf8)
        let replace = Normalizer.replace([0x20], with: mark)
        parts.normalizer = addsDummyPrefix ? .sequence([.prepend(mark), replace]) : replace
        parts.decoder.usesByteFallback = usesByteFallback
        parts.decoder.replacements = [TokenDecoder.Replacement(pattern: mark, content: [0x20])]
        parts.decoder.stripCount = addsDummyPrefix ? 1 : 0
        parts.decoder.restartsAtAddedTokens = true
        parts.prefix = addsBegin.map { [$0] } ?? []
        return parts
    }

    private func model() throws(TokenizerError) -> BytePairModel {
        var vocabulary = Vocabulary(expecting: pieces.count)
        var frozen = ByteTrie()
        for (id, piece) in pieces.enumerated() {
            _ = try vocabulary.insert(piece.text, id: id, isReachable: piece.kind == .normal)
            if piece.kind == .userDefined { frozen.insert(piece.text, id: Int32(id)) }
        }
        var model = BytePairModel(vocabulary: vocabulary, isByteLevel: false)
        model.byteIds = byteIds()
        model.merges = merges(vocabulary)
        model.options.usesByteFallback = usesByteFallback
        model.options.fusesUnknown = true
        model.options.unknown = pieces.firstIndex { $0.kind == .unknown }.map { Int32($0) }
        model.options.frozen = frozen.isEmpty ? nil : frozen
        model.options.cutsAtMark = frozen.isEmpty && model.canCutAtMark
        return model
    }

    private func byteIds() -> [Int32] {
        var ids = [Int32](repeating: -1, count: 256)
        for (id, piece) in pieces.enumerated() where piece.kind == .byte {
            if let byte = TokenDecoder.byteValue(of: piece.text[...]) { ids[Int(byte)] = Int32(id) }
        }
        return ids
    }

    /// SentencePiece joins the neighbours whose union has the highest score; so every way to cut
    /// a piece in two is a merge, ranked by the score of the piece.
    private func merges(_ vocabulary: Vocabulary) -> MergeTable {
        var table = MergeTable(expecting: pieces.count * 2)
        let ranks = ranksByScore()
        for (id, piece) in pieces.enumerated() where piece.kind == .normal {
            guard vocabulary.id(of: piece.text) == Int32(id) else { continue }
            piece.text.withUnsafeBufferPointer { text in
                for cut in 1..<max(text.count, 1) where text[cut] & 0xc0 != 0x80 {
                    guard let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: text[..<cut])),
                        let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: text[cut...]))
                    else { continue }
                    table.insert(left, right, rank: ranks[id], becomes: Int32(id))
                }
            }
        }
        return table
    }

    /// Equal scores share a rank; then the leftmost pair is first.
    private func ranksByScore() -> [Int] {
        let order = pieces.indices.sorted { pieces[$0].score > pieces[$1].score }
        var ranks = [Int](repeating: 0, count: pieces.count)
        var rank = 0
        for (place, id) in order.enumerated() {
            if place > 0, pieces[id].score < pieces[order[place - 1]].score { rank += 1 }
            ranks[id] = rank
        }
        return ranks
    }

    /// Control pieces and the unknown one, for folders that list no added tokens.
    var controlTokens: [AddedToken] {
        pieces.enumerated().compactMap { id, piece in
            guard piece.kind == .control || piece.kind == .unknown else { return nil }
            return AddedToken(id: Int32(id), content: String(decoding: piece.text, as: UTF8.self))
        }
    }
}

/// The fields of a protobuf message, without a description of it.
enum ProtobufFields {
    struct Field {
        let number: UInt64
        let value: Value
    }

    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64
        case bytes(ArraySlice<UInt8>)
    }

    static func fields(of message: ArraySlice<UInt8>) throws(TokenizerError) -> [Field] {
        var (fields, rest) = ([Field](), message)
        while !rest.isEmpty {
            guard let key = varint(&rest), let value = value(kind: key & 7, &rest) else {
                throw .malformed(
                    file: SentencePieceFile.name, place: "byte \(rest.startIndex)",
                    why: "is not a protobuf message")
            }
            fields.append(Field(number: key >> 3, value: value))
        }
        return fields
    }

    private static func value(kind: UInt64, _ rest: inout ArraySlice<UInt8>) -> Value? {
        switch kind {
        case 0: return varint(&rest).map { .varint($0) }
        case 1: return take(8, &rest).map { _ in .fixed64 }
        case 2: return varint(&rest).flatMap { take($0, &rest) }.map { .bytes($0) }
        case 5:
            return take(4, &rest).map { bytes in
                .fixed32(bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            }
        default: return nil
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var (value, shift) = (UInt64(0), UInt64(0))
        while let byte = rest.popFirst(), shift < 64 {
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    private static func take(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>?
    {
        guard count <= UInt64(rest.count) else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }
}
