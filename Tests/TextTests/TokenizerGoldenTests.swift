import Testing
import Text

/// Every tokenizer of the reference values against what its own library said.
struct TokenizerGoldenTests {
    static let folders = GoldenFolder.folders("tokenizers", with: "conformance.json")

    @Test func thereAreGoldens() {
        #expect(!Self.folders.isEmpty, "no tokenizers in \(GoldenFolder.path)")
    }

    @Test(arguments: folders)
    func everyStringHasTheSameTokensAndText(folder: String) throws {
        let tokenizer = try Tokenizer(folder: folder)
        let cases = try GoldenFolder.json(folder, "conformance.json")["cases"]
        var checked = 0
        for node in try #require(cases).elements {
            let text = try #require(node["text"]?.string)
            let ids = try #require(node["ids"]).ids
            let withSpecial = try #require(node["ids_with_special"]).ids
            #expect(
                try tokenizer.encode(text, EncodeOptions(addsSpecial: false)).ids == ids, "\(text)")
            #expect(try tokenizer.encode(text).ids == withSpecial, "\(text)")
            #expect(tokenizer.decode(ids).isSame(as: node["decoded"]?.string), "\(text)")
            #expect(
                tokenizer.decode(ids, skippingSpecial: true)
                    .isSame(as: node["decoded_skip_special"]?.string), "\(text)")
            checked += 1
        }
        #expect(checked > 0)
    }

    @Test(arguments: folders)
    func streamedPiecesJoinToTheWholeText(folder: String) throws {
        let tokenizer = try Tokenizer(folder: folder)
        let cases = try #require(try GoldenFolder.json(folder, "conformance.json")["cases"])
        for node in cases.elements {
            let ids = try #require(node["ids"]).ids
            var stream = StreamDecoder(tokenizer)
            let pieces = ids.map { stream.push($0) }
            #expect((pieces.joined() + stream.finish()).isSame(as: tokenizer.decode(ids)))
        }
    }

    @Test(arguments: folders)
    func rangesCoverTheTextInOrder(folder: String) throws {
        let tokenizer = try Tokenizer(folder: folder)
        let cases = try #require(try GoldenFolder.json(folder, "conformance.json")["cases"])
        for node in cases.elements {
            let text = try #require(node["text"]?.string)
            let encoding = try tokenizer.encode(text, EncodeOptions(wantsRanges: true))
            #expect(encoding.ids.count == encoding.ranges.count)
            var end = 0
            for range in encoding.ranges where !range.isEmpty {
                #expect(range.lowerBound <= end, "a gap in \(text)")
                end = max(end, range.upperBound)
            }
            #expect(end == text.utf8.count, "the end of \(text)")
        }
    }
}
