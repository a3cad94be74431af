/// The counts of one row that chrF (Popović 2015) and chrF++ (Popović 2017) are made of; those of
/// a corpus are their sums.
package struct CharacterFCounts: Sendable, Hashable {
    /// For each order: runs in the answer, in the reference, in both. Six orders of characters
    /// without blanks, then those of words.
    package private(set) var orders: [SIMD3<Int>]

    private static let characterOrders = 6

    /// No rows.
    /// - Parameter wordOrders: 0 for chrF, 2 for chrF++
    package init(wordOrders: Int = 0) {
        orders = Array(repeating: SIMD3(), count: Self.characterOrders + wordOrders)
    }

    /// Counts one answer against the reference that fits best, of at least one.
    /// - Parameter wordOrders: 0 for chrF, 2 for chrF++
    package init(_ answer: String, references: [String], wordOrders: Int = 0) {
        self.init(wordOrders: wordOrders)
        var numbers = WordNumbers()
        let own = Self.runs(answer, wordOrders, &numbers)
        var best = -1.0
        for reference in references {
            let other = Self.runs(reference, wordOrders, &numbers)
            var counts = CharacterFCounts(wordOrders: wordOrders)
            for index in counts.orders.indices {
                let total = other[index].total
                // Without runs in the reference there is nothing to be right about.
                counts.orders[index] = SIMD3(
                    total > 0 ? own[index].total : 0, total, own[index].matches(other[index]))
            }
            let score = counts.score
            if score > best { (best, self) = (score, counts) }
        }
    }

    /// The counts as one list, and back.
    var numbers: [Int] { orders.flatMap { [$0.x, $0.y, $0.z] } }

    init(numbers: ArraySlice<Int>) {
        orders = stride(from: numbers.startIndex, to: numbers.endIndex, by: 3).map {
            SIMD3(numbers[$0], numbers[$0 + 1], numbers[$0 + 2])
        }
    }

    /// Adds the counts of another row of the same orders.
    package static func += (sum: inout CharacterFCounts, row: CharacterFCounts) {
        for index in sum.orders.indices { sum.orders[index] &+= row.orders[index] }
    }

    /// F with recall twice as weighty as precision, each the mean over the orders that both
    /// sides have; 0 to 1.
    package var score: Double {
        let usable = orders.filter { $0.x > 0 && $0.y > 0 }
        guard !usable.isEmpty else { return 0 }
        let count = Double(usable.count)
        let precision = usable.reduce(0) { $0 + Double($1.z) / Double($1.x) } / count
        let recall = usable.reduce(0) { $0 + Double($1.z) / Double($1.y) } / count
        guard precision + recall > 0 else { return 0 }
        return 5 * precision * recall / (4 * precision + recall)
    }

    private static func runs(
        _ text: String, _ wordOrders: Int, _ numbers: inout WordNumbers
    ) -> [RunCounts] {
        let scalars = TextUnits.scalars(text)
        let words = TextUnits.words(scalars)
        let characters = words.joined().map { Int32($0.value) + 1 }
        var runs = (1...characterOrders).map { RunCounts(characters, length: $0) }
        if wordOrders > 0 {
            let named = numbers(words.flatMap(apart))
            runs += (1...wordOrders).map { RunCounts(named, length: $0) }
        }
        return runs
    }

    /// A word without one mark of punctuation at its end, or else at its start, and the mark.
    private static func apart(
        _ word: ArraySlice<Unicode.Scalar>
    ) -> [ArraySlice<Unicode.Scalar>] {
        guard word.count > 1, let first = word.first, let last = word.last else { return [word] }
        if TextUnits.isPunctuation(last) { return [word.dropLast(), word.suffix(1)] }
        if TextUnits.isPunctuation(first) { return [word.prefix(1), word.dropFirst()] }
        return [word]
    }
}
