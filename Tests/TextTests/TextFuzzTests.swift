import Base
import Testing
import TestSupport

@testable import Text

/// Damaged files and templates, odd text: nothing may trap, and streamed text is whole text.
struct TextFuzzTests {
    private static let cases = RunSize.value("FOVEA_FUZZ_CASES", standard: 2000)
    private static let seed = UInt64(RunSize.value("FOVEA_FUZZ_SEED", standard: 1))

    @Test func damagedTokenizersNeverTrap() throws {
        let files = try GoldenFolder.folders("tokenizers", with: "conformance.json").map {
            let name = $0.contains("internlm") ? "tokenizer.model" : "tokenizer.json"
            return (name, try Array(SmallFile.read("\($0)/\(name)").get()))
        }
        for round in 0..<(Self.cases / 4) {
            var random = SeededRandom(seed: Self.seed &+ UInt64(round))
            var (name, bytes) = files[round % files.count]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                Self.damage(&bytes, with: files[0].1, &random)
            }
            let isModel = name == "tokenizer.model"
            let tokenizer =
                isModel
                ? try? Tokenizer(sentencePiece: Bytes(bytes)) : try? Tokenizer(json: Bytes(bytes))
            if let tokenizer { try Self.use(tokenizer, &random, "round \(round)") }
        }
    }

    @Test func anyTextAndAnyIdsAreHarmless() throws {
        let tokenizers = try GoldenFolder.folders("tokenizers", with: "conformance.json")
            .map { try Tokenizer(folder: $0) }
        for round in 0..<Self.cases {
            var random = SeededRandom(seed: Self.seed &+ UInt64(round))
            try Self.use(tokenizers[round % tokenizers.count], &random, "round \(round)")
        }
    }

    @Test func damagedTemplatesNeverTrap() throws {
        let sources = [
            BuiltInTemplates.vicuna, BuiltInTemplates.mistral, BuiltInTemplates.qwen,
            BuiltInTemplates.internVLChat,
            "{% set ns = namespace(n=1) %}{{ [1, 'a'][::-1] | tojson(indent=2) }}"
                + "{% set x %}a{% endset %}"
                + "{{ 'a b'.split() | join('-') ~ (1 if x is defined else 2) }}{{ 7 // -2 % 3 }}",
        ].map { Array($0.utf8) }
        let messages = [
            ChatMessage(.user, [.image, .text("q")]), ChatMessage(.assistant, "a"),
        ]
        for round in 0..<Self.cases {
            var random = SeededRandom(seed: Self.seed &+ UInt64(round))
            var bytes = sources[round % sources.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                Self.damage(&bytes, with: sources[4], &random)
            }
            let template = try? ChatTemplate(String(decoding: bytes, as: UTF8.self))
            guard let chat = try? template?.render(messages, forGeneration: round % 2 == 0) else {
                continue
            }
            for range in chat.assistant + chat.content {
                #expect(range.upperBound <= chat.text.utf8.count, "round \(round)")
            }
        }
    }

    @Test func damagedPatternsNeverTrap() throws {
        let source = Array((ByteLevelFiles.qwenPattern + #"|[a-z&&]{2,5}+?|(?i:x{3})|\x41"#).utf8)
        for round in 0..<Self.cases {
            var random = SeededRandom(seed: Self.seed &+ UInt64(round))
            var bytes = source
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                Self.damage(&bytes, with: source, &random)
            }
            guard let pattern = try? Pattern(String(decoding: bytes, as: UTF8.self)) else {
                continue
            }
            let text = Array(Self.text(&random).utf8)
            var scratch = MatchScratch()
            scratch.start(textBytes: text.count)
            _ = try? pattern.matches(in: text, &scratch)
        }
    }

    private static func use(
        _ tokenizer: Tokenizer, _ random: inout SeededRandom, _ round: String
    ) throws {
        let text = text(&random)
        if let encoding = try? tokenizer.encode(text, EncodeOptions(wantsRanges: true)) {
            #expect(encoding.ids.count == encoding.ranges.count, "\(round)")
            let isWithin = encoding.ranges.allSatisfy { $0.upperBound <= text.utf8.count }
            #expect(isWithin, "\(round): \(text)")
        }
        let ids = (0..<20).map { _ in Int32.random(in: -2...700, using: &random) }
        var stream = StreamDecoder(tokenizer, skippingSpecial: Bool.random(using: &random))
        var other = stream
        let pieces = ids.map { stream.push($0) }.joined() + stream.finish()
        #expect(pieces.isSame(as: other.decode(ids)), "\(round): \(ids)")
    }

    /// Text of letters, blanks, marks, specials and anything else.
    private static func text(_ random: inout SeededRandom) -> String {
        let pieces = [
            "a", " ", "  ", "\n", "'s", "'LL", "12", "▁", "e\u{301}", "\u{301}", "你好", "가\u{11a8}",
            "<s>", "</s>", "<image>", "<|im_start|>", "<0x41>", "😀", "\u{200d}", "\u{0}", "ß",
            "\u{fffd}",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...30, using: &random) {
            if Int.random(in: 0..<5, using: &random) > 0 {
                text += pieces.randomElement(using: &random) ?? ""
            } else if let scalar = Unicode.Scalar(UInt32.random(in: 0..<0x11_0000, using: &random))
            {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func damage(
        _ bytes: inout [UInt8], with other: [UInt8], _ random: inout SeededRandom
    ) {
        guard !bytes.isEmpty else { return }
        let position = Int.random(in: 0..<bytes.count, using: &random)
        let width = Int.random(in: 1...12, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(position..<min(position + width, bytes.count))
        case 3: bytes.insert(contentsOf: other.shuffled(using: &random).prefix(3), at: position)
        case 4:
            let start = Int.random(in: 0..<other.count, using: &random)
            let end = min(start + width, other.count)
            bytes.insert(contentsOf: other[start..<end], at: position)
        default:
            let end = min(bytes.count, position + width)
            bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
        }
    }
}
