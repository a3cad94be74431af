/// Where each sequence of a ragged batch starts and ends: rows of all sequences lie one after
/// another, without padding. Sequence `i` has query rows `queries[i]..<queries[i + 1]` and key rows
/// `keys[i]..<keys[i + 1]`; without a cache the two are equal.
package struct Segments: Hashable, Sendable {
    /// Offsets of the sequences among the query rows, with the end: `count + 1` entries.
    package let queries: [Int]
    /// The same among the key rows. A sequence has at least as many keys as queries when it is
    /// causal: its queries are the last of its rows.
    package let keys: [Int]

    /// Sequences that attend to themselves.
    /// - Parameter lengths: rows of each sequence
    package init(lengths: [Int]) {
        self.init(queryLengths: lengths, keyLengths: lengths)
    }

    /// Sequences whose earlier rows are in a cache, or that attend to other rows.
    package init(queryLengths: [Int], keyLengths: [Int]) {
        precondition(
            queryLengths.count == keyLengths.count,
            "segments: \(queryLengths.count) query lengths, \(keyLengths.count) key lengths")
        queries = Segments.offsets(queryLengths)
        keys = Segments.offsets(keyLengths)
    }

    /// How many sequences there are.
    package var count: Int { queries.count - 1 }
    /// Query rows of all sequences.
    package var queryRows: Int { queries[count] }
    /// Key rows of all sequences.
    package var keyRows: Int { keys[count] }

    /// Query rows of one sequence.
    package func queryRows(of index: Int) -> Range<Int> { queries[index]..<queries[index + 1] }
    /// Key rows of one sequence.
    package func keyRows(of index: Int) -> Range<Int> { keys[index]..<keys[index + 1] }
    /// Whether each sequence has at least as many keys as queries.
    package var hasKeysForQueries: Bool {
        (0..<count).allSatisfy { queryRows(of: $0).count <= keyRows(of: $0).count }
    }

    private static func offsets(_ lengths: [Int]) -> [Int] {
        var offsets = [0]
        offsets.reserveCapacity(lengths.count + 1)
        for length in lengths {
            precondition(length >= 0, "segments: negative length in \(lengths)")
            offsets.append(offsets[offsets.count - 1] + length)
        }
        return offsets
    }
}
