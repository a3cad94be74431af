import Base
import Testing

@testable import Text

/// Tokenizers small enough to see through.
struct TokenizerTests {
    /// A byte-level tokenizer with these parts of its file replaced.
    private static func file(
        vocab: String = #"{"a":0,"b":1,"ab":2,"Ġ":3,"abab":4}"#,
        merges: String = #"["a b",["ab","ab"]]"#, model: String = "", rest: String = "",
        added: String = "[]"
    ) -> Bytes {
        Bytes(
            """
            {"model":{"type":"BPE","vocab":\(vocab),"merges":\(merges)\(model)},
            "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
            "decoder":{"type":"ByteLevel"},"added_tokens":\(added)\(rest)}
            """)
    }

    @Test func addedTokensTakeBlanksAndRespectWords() throws {
        let added = """
            [{"id":7,"content":"<x>","lstrip":true,"rstrip":true,"special":true},
            {"id":8,"content":"ba","single_word":true,"normalized":false}]
            """
        let tokenizer = try Tokenizer(json: Self.file(added: added))
        let encoding = try tokenizer.encode("a <x>  b ba aba", EncodeOptions(wantsRanges: true))
        #expect(encoding.ids == [0, 7, 1, 3, 8, 3, 2, 0])
        #expect(encoding.ranges == [0..<1, 1..<7, 7..<8, 8..<9, 9..<11, 11..<12, 12..<14, 14..<15])
        #expect(tokenizer.decode(encoding.ids, skippingSpecial: true) == "ab ba aba")
    }

    @Test func longWordsMergeAsShortOnesDo() throws {
        let tokenizer = try Tokenizer(json: Self.file())
        for count in [1, 2, 3, 11, 12, 13, 500, 100_001] {
            let ids = try tokenizer.encode(String(repeating: "ab", count: count)).ids
            #expect(ids.count { $0 == 4 } == count / 2)
            #expect(ids.count { $0 == 2 } == count % 2)
        }
    }

    @Test func idsBeyondTheVocabularyAreNoText() throws {
        let tokenizer = try Tokenizer(json: Self.file())
        #expect(tokenizer.decode([0, 5, 99, -1, .max, .min, 1]) == "ab")
    }

    @Test func aTextCutInMidCharacterWaitsForTheRest() throws {
        let tokenizer = try Tokenizer(
            json: Self.file(vocab: #"{"â":0,"Ĥ":1,"¬":2,"a":3}"#, merges: "[]"))
        var stream = StreamDecoder(tokenizer)
        #expect([0, 1, 2, 3, 0].map { stream.push($0) } == ["", "", "€", "a", ""])
        #expect(stream.finish() == "\u{fffd}")
    }

    @Test func combiningMarksCountToTheCharacterTheyJoin() throws {
        let rest = #","normalizer":{"type":"NFC"}"#
        let tokenizer = try Tokenizer(
            json: Self.file(vocab: #"{"a":0,"Ã":1,"©":2,"b":3}"#, merges: "[]", rest: rest))
        let encoding = try tokenizer.encode("ae\u{301}b", EncodeOptions(wantsRanges: true))
        #expect(encoding.ids == [0, 1, 2, 3])
        #expect(encoding.ranges == [0..<1, 1..<4, 1..<4, 4..<5])
    }

    private static let wrongFiles: [(String, Bytes)] = [
        ("MALFORMED_TOKENIZER", Bytes("{")), ("MALFORMED_TOKENIZER", Bytes("[]")),
        ("MALFORMED_TOKENIZER", Bytes([0xff, 0xfe])),
        ("MALFORMED_TOKENIZER", file(merges: #"["a c"]"#)),
        ("MALFORMED_TOKENIZER", file(merges: #"["a"]"#)),
        ("MALFORMED_TOKENIZER", file(vocab: #"{"a":0,"b":0}"#, merges: "[]")),
        ("TOKENIZER_LIMIT", file(vocab: #"{"a":99999999}"#, merges: "[]")),
        ("TOKENIZER_LIMIT", file(vocab: #"{"a":-1}"#, merges: "[]")),
        ("UNSUPPORTED_TOKENIZER", file(model: #","dropout":0.1"#)),
        ("UNSUPPORTED_TOKENIZER", file(rest: #","normalizer":{"type":"Precompiled"}"#)),
        ("MALFORMED_TOKENIZER", file(added: #"[{"id":-1,"content":"x"}]"#)),
        ("MALFORMED_TOKENIZER", file(model: #","unk_token":"q""#)),
        (
            "BAD_TOKENIZER_PATTERN",
            file(
                rest: #","normalizer":{"type":"Replace","pattern":{"Regex":"(a"},"content":""}"#)
        ),
    ]

    @Test(arguments: wrongFiles.indices)
    func aWrongFileIsATypedError(index: Int) {
        let (reason, bytes) = Self.wrongFiles[index]
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(json: bytes) }
        #expect(error?.reason == reason)
        #expect(error?.message.isEmpty == false)
    }

    @Test func aFolderWithoutATokenizerSaysWhatItLooksFor() {
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(folder: "/nonexistent") }
        #expect(error?.reason == "TOKENIZER_MISSING")
    }

    @Test(arguments: [
        "(", ")", "[", "[a", "[b-a]", "a**", "(a*)*", "(a|)+", "*a", "a{2,1}", "a{2000}", "\\",
        "\\q", "\\p{Xx}", "\\p{L", "(?<=a)b", "(?P<n>a)", "[a&&b]", "(ab)++", "x{", "\\x{}",
        "(((((a{1,1000}){1,1000}){1,1000}){1,1000}){1,1000}){1,1000}",
    ])
    func aBadPatternIsRefused(source: String) {
        #expect(throws: TokenizerError.self) { try Pattern(source) }
    }

    @Test func aPatternThatGoesBackAndForthIsStopped() throws {
        let pattern = try Pattern("(?:a|aa)+(?:a|aa)+(?:a|aa)+(?:a|aa)+b")
        var scratch = MatchScratch()
        let text = [UInt8](repeating: 0x61, count: 3000)
        scratch.start(textBytes: text.count)
        #expect(throws: TokenizerError.self) { try pattern.matches(in: text, &scratch) }
    }

    @Test func jsonKeepsOrderAndEscapes() throws {
        let node = try JSONDocument(
            Array(#"{"b":[1,-2.5e3,true,null],"a":"é\n\u00e9\ud83d\ude00\ud800"}"#.utf8)
        ).root
        #expect(node.members.map { $0.key.string } == ["b", "a"])
        #expect(node["b"]?.elements.map(\.double) == [1, -2500, nil, nil])
        #expect(node["a"]?.string == "é\né😀\u{fffd}")
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "-", "\"\\x\"", "\"\n\"", "nul", "1 2", "[1 2]",
        "{\"a\":1,}", "\"\\u12\"", String(repeating: "[", count: 10_000),
    ])
    func whatIsNotJSONIsRefused(text: String) {
        #expect(throws: JSONError.self) { try JSONDocument(Array(text.utf8)) }
    }
}
