import Testing
import Text

@testable import Evaluation

@Suite struct TextGoldenTests {
    @Test func rowsScoreAsWithSacrebleuRougeScoreAndSQuAD() throws {
        var count = 0
        for corpus in try GoldenFile.read("texts").elements {
            for golden in try corpus.needed("rows").elements {
                count += 1
                try check(golden)
            }
        }
        #expect(count >= 50)
    }

    private func check(_ golden: JSONNode) throws {
        let answer = try golden.needed("answer").string ?? ""
        let references = try golden.needed("references").texts
        let row = GeneratedRow(answer, references: references)
        let tokens = Tokens13a.tokens(answer).map { token in
            String(String.UnicodeScalarView(token))
        }
        #expect(tokens.joined(separator: " ") == golden["tokens"]?.string)
        #expect(isClose(100 * row.bleu.sentence, try golden.number("bleu")), "\(answer)")
        #expect(isClose(100 * row.characters.score, try golden.number("chrf")), "\(answer)")
        #expect(
            isClose(100 * row.charactersAndWords.score, try golden.number("chrf++")), "\(answer)")
        let stemmed = ROUGE(answer, references: references, stems: true)
        for (name, rouge) in [("rouge", row.rouge), ("stemmed", stemmed)] {
            let found = [rouge.one, rouge.two, rouge.longest].map { [$0.precision, $0.recall] }
            let expected = try golden.needed(name).elements.map(\.numbers)
            #expect(zip(found, expected).allSatisfy { areClose($0, $1) }, "\(name) of \(answer)")
            #expect(expected.count == 3)
        }
        #expect(row.match.isExact == (try golden.number("exact") == 100), "\(answer)")
        // The reference counts in single precision.
        #expect(
            isClose(100 * row.match.tokenF1, try golden.number("f1"), within: 1e-6), "\(answer)")
    }

    @Test func corporaScoreAsWithSacrebleu() throws {
        let corpora = Array(try GoldenFile.read("texts").elements)
        #expect(corpora.count >= 4)
        for golden in corpora {
            let rows = try golden.needed("rows").elements.map {
                GeneratedRow(
                    try $0.needed("answer").string ?? "",
                    references: try $0.needed("references").texts)
            }
            let values = TextScores(rows).values(Array(rows.indices)[...])
            let byName = Dictionary(uniqueKeysWithValues: zip(TextScores.metrics, values))
            for name in ["bleu", "chrf", "chrf++"] {
                let expected = try golden.number(name)
                #expect(isClose(100 * (byName[name] ?? -1), expected), "\(name)")
            }
        }
    }

    @Test func stemsAreThoseOfNLTK() throws {
        let pairs = try GoldenFile.read("stems").string?.split(separator: " ") ?? []
        #expect(pairs.count > 1_000)
        for pair in pairs {
            let parts = pair.split(separator: ":", omittingEmptySubsequences: false)
            #expect(PorterStemmer.stem(String(parts[0])) == parts[1], "\(parts[0])")
        }
    }
}
