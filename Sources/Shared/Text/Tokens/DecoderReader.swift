/// Reads the `decoder` of a tokenizer file.
enum DecoderReader {
    /// The decoders in order, those within sequences too.
    static func steps(_ node: JSONNode?) throws(TokenizerError) -> [JSONNode] {
        guard let node else { return [] }
        guard node["type"]?.string == "Sequence" else { return [node] }
        var steps: [JSONNode] = []
        for child in try TokenizerFile.children(of: node, "decoders") {
            steps += try self.steps(child)
        }
        return steps
    }

    private static let order = [
        "ByteLevel alone, or Replace, ByteFallback, Metaspace, then Fuse, then Strip at the start"
    ]

    /// The decoder that `steps` describe.
    static func decoder(of steps: [JSONNode]) throws(TokenizerError) -> TokenDecoder {
        var decoder = TokenDecoder()
        var isFused = false
        for step in steps {
            let isInOrder = try add(step, to: &decoder, &isFused)
            guard isInOrder, !decoder.isByteLevel || steps.count == 1 else {
                throw TokenizerFile.unsupported("decoder", step, order)
            }
        }
        guard !steps.isEmpty else {
            throw .unsupported(place: "decoder", seen: "null", allowed: order)
        }
        return decoder
    }

    private static func add(
        _ step: JSONNode, to decoder: inout TokenDecoder, _ isFused: inout Bool
    ) throws(TokenizerError) -> Bool {
        switch step["type"]?.string {
        case "ByteLevel": decoder.isByteLevel = true
        case "Fuse": isFused = true
        case "ByteFallback": decoder.usesByteFallback = true
        case "Replace":
            let replacement = TokenDecoder.Replacement(
                pattern: try TokenizerFile.pattern(of: step),
                content: try TokenizerFile.bytes("content", of: step))
            guard !replacement.pattern.isEmpty else { return false }
            decoder.replacements.append(replacement)
        case "Metaspace":
            let metaspace = try TokenizerFile.metaspace(step)
            decoder.metaspace = (metaspace.mark, metaspace.scheme != .never)
        case "Strip":
            let content = try TokenizerFile.bytes("content", of: step)
            guard isFused, content.count == 1, step["stop"]?.int == 0,
                let count = step["start"]?.int, (0...1000).contains(count)
            else { return false }
            (decoder.stripped, decoder.stripCount) = (content[0], count)
            return true
        default: return false
        }
        return step["type"]?.string == "Fuse" || !isFused
    }
}
