/// The scores of one free answer.
package struct GeneratedRow: Sendable {
    package let match: AnswerMatch
    package let bleu: BLEUCounts
    package let rouge: ROUGE
    /// chrF, and chrF++ with words too.
    package let characters, charactersAndWords: CharacterFCounts

    /// - Parameters:
    ///   - references: at least one
    ///   - stems: whether ROUGE compares stems of English words
    package init(_ answer: String, references: [String], stems: Bool = false) {
        match = AnswerMatch(answer, references: references)
        bleu = BLEUCounts(answer, references: references)
        rouge = ROUGE(answer, references: references, stems: stems)
        characters = CharacterFCounts(answer, references: references)
        charactersAndWords = CharacterFCounts(answer, references: references, wordOrders: 2)
    }
}

/// Scores of free answers. BLEU and chrF are those of the corpus, others means over rows; all are
/// 0 to 1.
package struct GenerationReport: Sendable {
    /// With intervals, in the order of `TextScores.metrics`.
    package let estimates: [Estimate]

    /// Sums up rows; without rows there are no scores.
    package init(_ rows: [GeneratedRow], bootstrap: Bootstrap) {
        guard !rows.isEmpty else {
            estimates = []
            return
        }
        let scores = TextScores(rows)
        let values = scores.values(Array(rows.indices)[...])
        let intervals = bootstrap.child("texts").intervals(
            rows: rows.count, count: values.count
        ) { scores.values($0) }
        estimates = zip(TextScores.metrics, zip(values, intervals)).map {
            Estimate($0, $1.0, interval: $1.1, count: rows.count)
        }
    }
}

/// The counts of rows, laid out so that those of many draws of rows are added up fast.
package struct TextScores: Sendable {
    /// The names of `values`.
    package static let metrics = [
        "rouge_l", "exact_match", "token_f1", "bleu", "chrf", "chrf++", "rouge_1", "rouge_2",
    ]

    /// Seven vectors for each row: 10 counts of BLEU, 18 of chrF, 24 of chrF++.
    private let counts: [SIMD8<Int>]
    /// One vector for each row: what means are taken of.
    private let shares: [SIMD8<Double>]

    private static let vectors = 7
    private static let characterOrders = 18

    /// Lays out rows.
    package init(_ rows: [GeneratedRow]) {
        counts = rows.flatMap { row -> [SIMD8<Int>] in
            let numbers =
                row.bleu.numbers + row.characters.numbers + row.charactersAndWords.numbers
            return (0..<Self.vectors).map { vector in
                var lanes = SIMD8<Int>()
                for lane in 0..<8 where vector * 8 + lane < numbers.count {
                    lanes[lane] = numbers[vector * 8 + lane]
                }
                return lanes
            }
        }
        shares = rows.map { row in
            SIMD8(
                row.rouge.longest.f1, row.match.isExact ? 1 : 0, row.match.tokenF1,
                row.rouge.one.f1, row.rouge.two.f1, 0, 0, 0)
        }
    }

    /// All metrics over chosen rows, which may repeat; at least one.
    package func values(_ chosen: ArraySlice<Int>) -> [Double] {
        var sums = Array(repeating: SIMD8<Int>(), count: Self.vectors)
        var means = SIMD8<Double>()
        for row in chosen {
            for vector in 0..<Self.vectors {
                sums[vector] &+= counts[row * Self.vectors + vector]
            }
            means += shares[row]
        }
        means /= SIMD8(repeating: Double(max(1, chosen.count)))
        let numbers = sums.flatMap { lanes in (0..<8).map { lanes[$0] } }
        let (first, second) = (
            BLEUCounts.numbersCount, BLEUCounts.numbersCount + Self.characterOrders
        )
        return [
            means[0], means[1], means[2], BLEUCounts(numbers: numbers[..<first]).corpus,
            CharacterFCounts(numbers: numbers[first..<second]).score,
            CharacterFCounts(numbers: numbers[second..<(second + 24)]).score, means[3], means[4],
        ]
    }
}
