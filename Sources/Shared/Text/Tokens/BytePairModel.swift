/// Byte-pair encoding: a word becomes its characters (or bytes), and neighbours merge by rank.
struct BytePairModel: Sendable {
    var vocabulary: Vocabulary
    var merges: MergeTable
    var options = Options()

    /// The id of each single byte; -1 where the vocabulary has none. For byte-level models what
    /// the byte itself becomes, for others the token `<0xNN>`.
    var byteIds: [Int32]

    /// What the `model` part of a tokenizer file says besides vocabulary and merges.
    struct Options: Sendable {
        /// Words are bytes already, and every byte starts as a token.
        var isByteLevel = false
        var usesByteFallback = false
        var fusesUnknown = false
        /// A word that is a token as a whole becomes that token at once.
        var ignoresMerges = false
        var unknown: Int32?
        /// Tokens that stand for themselves wherever they occur, before any merging.
        var frozen: ByteTrie?
        /// No token has U+2581 after another character, so words may be cut before it.
        var cutsAtMark = false
    }

    /// Appends the tokens of `word`.
    func encode(
        _ word: UnsafeBufferPointer<UInt8>, _ merges: MergeTable.View,
        into symbols: inout SymbolRow
    ) {
        symbols.removeAll()
        if options.ignoresMerges, let id = vocabulary.id(of: word) {
            symbols.append(id, length: word.count)
            return
        }
        if options.isByteLevel { splitBytes(word, &symbols) } else { splitScalars(word, &symbols) }
        if symbols.count <= SymbolRow.shortMax {
            symbols.mergeShort(merges)
        } else {
            symbols.mergeLong(merges)
        }
    }

    private func splitBytes(_ word: UnsafeBufferPointer<UInt8>, _ symbols: inout SymbolRow) {
        var unknown = Pending(id: options.unknown, fuses: options.fusesUnknown)
        byteIds.withUnsafeBufferPointer { ids in
            for byte in word {
                let id = ids[Int(byte)]
                if id >= 0 {
                    unknown.flush(&symbols)
                    symbols.append(id, length: 1)
                } else {
                    unknown.add(length: 1, &symbols)
                }
            }
        }
        unknown.flush(&symbols)
    }

    private func splitScalars(_ word: UnsafeBufferPointer<UInt8>, _ symbols: inout SymbolRow) {
        var unknown = Pending(id: options.unknown, fuses: options.fusesUnknown)
        var position = 0
        while position < word.count {
            if let frozen = options.frozen?.longestMatch(in: word, at: position) {
                unknown.flush(&symbols)
                symbols.append(frozen.id, length: frozen.end - position)
                position = frozen.end
                continue
            }
            let width = min(UTF8Scalars.width(word[position]), word.count - position)
            let scalar = UnsafeBufferPointer(rebasing: word[position..<(position + width)])
            if let id = vocabulary.id(of: scalar) {
                unknown.flush(&symbols)
                symbols.append(id, length: width)
            } else if options.usesByteFallback, scalar.allSatisfy({ byteIds[Int($0)] >= 0 }) {
                // Hugging Face leaves an unknown that waits where it is; so do we.
                for byte in scalar { symbols.append(byteIds[Int(byte)], length: 1) }
            } else {
                unknown.add(length: width, &symbols)
            }
            position += width
        }
        unknown.flush(&symbols)
    }

    /// Characters outside the vocabulary that wait to become one unknown token.
    private struct Pending {
        let id: Int32?
        let fuses: Bool
        var length = 0

        mutating func add(length added: Int, _ symbols: inout SymbolRow) {
            if !fuses { flush(&symbols) }
            length += added
        }

        mutating func flush(_ symbols: inout SymbolRow) {
            if length > 0, let id { symbols.append(id, length: length) }
            length = 0
        }
    }
}

/// The tokens of one word while they merge; memory that is used again for the next word.
struct SymbolRow {
    private(set) var ids: [Int32] = []
    /// Bytes of each token.
    private(set) var lengths: [Int32] = []
    // What merging needs besides.
    private var ranks: [UInt64] = []
    private var previous: [Int32] = []
    private var following: [Int32] = []
    private var heap: [Candidate] = []

    /// Up to this many tokens a scan is faster than a heap.
    static let shortMax = 24

    var count: Int { ids.count }

    mutating func removeAll() {
        ids.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func append(_ id: Int32, length: Int) {
        ids.append(id)
        lengths.append(Int32(length))
    }

    /// Merges the pair of lowest rank, leftmost first, until none is left; by scanning.
    mutating func mergeShort(_ merges: MergeTable.View) {
        var count = ids.count
        guard count > 1 else { return }
        ranks.removeAll(keepingCapacity: true)
        for index in 1..<count { ranks.append(merges.merge(ids[index - 1], ids[index])) }
        ranks.append(MergeTable.none)
        ids.withUnsafeMutableBufferPointer { ids in
            lengths.withUnsafeMutableBufferPointer { lengths in
                ranks.withUnsafeMutableBufferPointer { ranks in
                    while let at = Self.lowest(ranks, count) {
                        ids[at] = Int32(truncatingIfNeeded: ranks[at])
                        lengths[at] += lengths[at + 1]
                        count -= 1
                        for index in (at + 1)..<max(count, at + 1) {
                            ids[index] = ids[index + 1]
                            lengths[index] = lengths[index + 1]
                            ranks[index] = ranks[index + 1]
                        }
                        ranks[count - 1] = MergeTable.none
                        if at + 1 < count { ranks[at] = merges.merge(ids[at], ids[at + 1]) }
                        if at > 0 { ranks[at - 1] = merges.merge(ids[at - 1], ids[at]) }
                    }
                }
            }
        }
        ids.removeLast(ids.count - count)
        lengths.removeLast(lengths.count - count)
    }

    @inline(__always)
    private static func lowest(_ ranks: UnsafeMutableBufferPointer<UInt64>, _ count: Int) -> Int? {
        var (best, at) = (MergeTable.none, -1)
        for index in 0..<(count - 1) where ranks[index] >> 32 < best >> 32 {
            (best, at) = (ranks[index], index)
        }
        return at < 0 ? nil : at
    }

    /// A pair that may merge: the earlier in rank and place, the smaller.
    private struct Candidate: Comparable {
        let rank: UInt32
        let position: Int32
        let id: Int32

        @inline(__always)
        static func < (a: Candidate, b: Candidate) -> Bool {
            a.rank != b.rank ? a.rank < b.rank : a.position < b.position
        }
    }

    /// The same with a heap, in O(n log n).
    mutating func mergeLong(_ merges: MergeTable.View) {
        let count = ids.count
        previous.removeAll(keepingCapacity: true)
        following.removeAll(keepingCapacity: true)
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count {
            previous.append(Int32(index - 1))
            following.append(index + 1 < count ? Int32(index + 1) : -1)
        }
        for index in 0..<(count - 1) { propose(index, merges) }
        while let top = popHeap() {
            let left = Int(top.position)
            guard lengths[left] > 0, following[left] >= 0 else { continue }
            let right = Int(following[left])
            // The pair may have changed since it was proposed.
            let merge = merges.merge(ids[left], ids[right])
            guard merge != MergeTable.none, Int32(truncatingIfNeeded: merge) == top.id else {
                continue
            }
            join(left, right, top.id)
            if previous[left] >= 0 { propose(Int(previous[left]), merges) }
            if following[left] >= 0 { propose(left, merges) }
        }
        compact()
    }

    private mutating func join(_ left: Int, _ right: Int, _ id: Int32) {
        ids[left] = id
        lengths[left] += lengths[right]
        lengths[right] = 0
        following[left] = following[right]
        if following[right] >= 0 { previous[Int(following[right])] = Int32(left) }
    }

    private mutating func compact() {
        var kept = 0
        for index in ids.indices where lengths[index] > 0 {
            (ids[kept], lengths[kept]) = (ids[index], lengths[index])
            kept += 1
        }
        ids.removeLast(ids.count - kept)
        lengths.removeLast(lengths.count - kept)
    }

    @inline(__always)
    private mutating func propose(_ left: Int, _ merges: MergeTable.View) {
        let merge = merges.merge(ids[left], ids[Int(following[left])])
        guard merge != MergeTable.none else { return }
        pushHeap(
            Candidate(
                rank: UInt32(truncatingIfNeeded: merge >> 32), position: Int32(left),
                id: Int32(truncatingIfNeeded: merge)))
    }

    private mutating func pushHeap(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func popHeap() -> Candidate? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return top }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < last else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return top
    }
}
