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
    /// The names of `values`.
    package static let metrics = [
        "rouge_l", "exact_match", "token_f1", "bleu", "chrf", "chrf++", "rouge_1", "rouge_2",
    ]

    /// With intervals, "rouge_l" first.
    package let estimates: [Estimate]

    package init(_ rows: [GeneratedRow], bootstrap: Bootstrap) {
        guard !rows.isEmpty else {
            estimates = []
            return
        }
        let values = Self.values(rows, Array(rows.indices)[...])
        let intervals = bootstrap.child("texts").intervals(
            rows: rows.count, count: values.count
        ) { Self.values(rows, $0) }
        estimates = zip(Self.metrics, zip(values, intervals)).map {
            Estimate($0, $1.0, interval: $1.1, count: rows.count)
        }
    }

    /// All metrics over chosen rows, which may repeat; at least one.
    package static func values(_ rows: [GeneratedRow], _ chosen: ArraySlice<Int>) -> [Double] {
        var bleu = BLEUCounts()
        var (chrf, plus) = (CharacterFCounts(), CharacterFCounts(wordOrders: 2))
        var sums = [0.0, 0.0, 0.0, 0.0, 0.0]
        for index in chosen {
            let row = rows[index]
            bleu += row.bleu
            chrf += row.characters
            plus += row.charactersAndWords
            sums[0] += row.rouge.longest.f1
            sums[1] += row.match.isExact ? 1 : 0
            sums[2] += row.match.tokenF1
            sums[3] += row.rouge.one.f1
            sums[4] += row.rouge.two.f1
        }
        let means = sums.map { $0 / Double(max(1, chosen.count)) }
        return [means[0], means[1], means[2], bleu.corpus, chrf.score, plus.score]
            + means.suffix(2)
    }
}
