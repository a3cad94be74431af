import Foundation

/// The counts of one row that BLEU is made of; those of a corpus are their sums.
package struct BLEUCounts: Sendable, Hashable {
    package private(set) var answerLength = 0
    package private(set) var referenceLength = 0
    /// Runs of 1 to 4 tokens that a reference has too.
    package private(set) var matches = SIMD4<Int>()
    /// Runs of 1 to 4 tokens.
    package private(set) var totals = SIMD4<Int>()

    /// No rows.
    package init() {}

    /// Counts one answer against its references, at least one; tokens are those of mteval-v13a.
    package init(_ answer: String, references: [String]) {
        var numbers = WordNumbers()
        let own = numbers(Tokens13a.tokens(answer))
        let others = references.map { numbers(Tokens13a.tokens($0)) }
        answerLength = own.count
        referenceLength =
            others.map(\.count).min {
                (abs($0 - own.count), $0) < (abs($1 - own.count), $1)
            } ?? 0
        for length in 1...4 {
            let runs = RunCounts(own, length: length)
            var known = RunCounts([], length: length)
            for other in others { known.formUnion(RunCounts(other, length: length)) }
            totals[length - 1] = runs.total
            matches[length - 1] = runs.matches(known)
        }
    }

    /// The counts as one list, and back.
    var numbers: [Int] {
        [answerLength, referenceLength] + (0..<4).map { matches[$0] } + (0..<4).map { totals[$0] }
    }

    static let numbersCount = 10

    init(numbers: ArraySlice<Int>) {
        let numbers = Array(numbers)
        (answerLength, referenceLength) = (numbers[0], numbers[1])
        for index in 0..<4 {
            (matches[index], totals[index]) = (numbers[2 + index], numbers[6 + index])
        }
    }

    /// Adds the counts of another row.
    package static func += (sum: inout BLEUCounts, row: BLEUCounts) {
        sum.answerLength += row.answerLength
        sum.referenceLength += row.referenceLength
        sum.matches &+= row.matches
        sum.totals &+= row.totals
    }

    /// BLEU of a corpus, 0 to 1 (Papineni et al. 2002), with the smoothing of mteval-v13a: the
    /// k-th order without a match counts as 1/2^k matches.
    package var corpus: Double { score(isSentence: false) }

    /// BLEU of one sentence: orders longer than the answer do not count.
    package var sentence: Double { score(isSentence: true) }

    private func score(isSentence: Bool) -> Double {
        guard matches != SIMD4() else { return 0 }
        let penalty =
            answerLength < referenceLength
            ? 1 - Double(referenceLength) / Double(max(1, answerLength)) : 0
        var (logs, orders, halving) = (0.0, 0, 1.0)
        for index in 0..<4 {
            let (match, total) = (matches[index], totals[index])
            if total == 0 { break }
            orders += 1
            if match == 0 { halving *= 2 }
            logs += log((match == 0 ? 1 / halving : Double(match)) / Double(total))
        }
        guard isSentence || orders == 4 else { return 0 }
        return exp(penalty + logs / Double(orders))
    }
}
