import Base
import Testing

@testable import Evaluation

@Suite struct TextTests {
    @Test func hostileTextsCostLittle() {
        let long = String(repeating: "a b ", count: 500_000)
        let one = String(repeating: "y", count: 2_000_000)
        let mixed = String(repeating: "-&quot;.,1\u{301}\u{202e}", count: 100_000)
        for text in [long, one, mixed] {
            #expect(ROUGE(text, reference: text, stems: true).longest.f1 == 1)
            #expect(BLEUCounts(text, references: [text]).sentence == 1)
            #expect(AnswerMatch(text, reference: text).isExact)
        }
        for text in [String(long.prefix(20_000)), "\u{1f468}\u{200d}", "\u{fffd}", "\u{0}"] {
            #expect(CharacterFCounts(text, references: [text, "b"], wordOrders: 2).score == 1)
        }
    }

    @Test func longestCommonSubsequencesAreThoseOfTheTable() {
        for seed in 0..<60 {
            let numbers = (0..<400).map {
                Int32(RandomKey(seed: UInt64(seed)).word(at: $0) % UInt32(2 + seed * seed % 90)) + 1
            }
            let cut = seed * 6 % 200
            let (first, second) = (Array(numbers[..<cut]), Array(numbers[cut..<(2 * cut + 1)]))
            #expect(LongestCommon.length(first, second) == table(first, second), "\(seed)")
        }
    }

    private func table(_ first: [Int32], _ second: [Int32]) -> Int {
        var row = Array(repeating: 0, count: second.count + 1)
        for a in first {
            var diagonal = 0
            for (index, b) in second.enumerated() {
                let above = row[index + 1]
                row[index + 1] = a == b ? diagonal + 1 : max(above, row[index])
                diagonal = above
            }
        }
        return row[second.count]
    }

    @Test func noRowsHaveNoScores() throws {
        let report = GenerationReport(
            [], bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(report.estimates.isEmpty)
    }

    @Test func reportsGiveEveryMetricWithAnInterval() throws {
        let rows = [("a b c d e", "a b c d f"), ("x y", "x y"), ("k", "l")].map {
            GeneratedRow($0.0, references: [$0.1])
        }
        let report = GenerationReport(
            rows, bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(report.estimates.map(\.name) == TextScores.metrics)
        #expect(report.estimates.allSatisfy { $0.interval != nil && (0...1).contains($0.value) })
    }
}
