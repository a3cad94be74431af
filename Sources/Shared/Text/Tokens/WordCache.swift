/// Remembers the tokens of words. Bounded: when full it forgets everything and starts again,
/// which costs less than keeping track of what was used when.
struct WordCache {
    private struct Entry {
        var hash: UInt64 = 0
        var keyStart: UInt32 = 0
        var keyCount: UInt16 = 0
        var tokenCount: UInt16 = 0
        var tokenStart: UInt32 = 0
    }

    private var entries = [Entry](repeating: Entry(), count: 1 << 16)
    private var used = 0
    private var keys: [UInt8] = []
    private(set) var ids: [Int32] = []
    private(set) var lengths: [UInt8] = []

    /// Longer words are rare and would fill the cache.
    static let wordBytesMax = 120
    private static let wordsMax = 40_000
    private static let keyBytesMax = 1 << 20

    /// Where the tokens of `word` lie in `ids` and `lengths`; nil if it is not known.
    @inline(__always)
    func find(_ word: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Range<Int>? {
        entries.withUnsafeBufferPointer { entries in
            keys.withUnsafeBufferPointer { keys in
                var slot = Int(truncatingIfNeeded: hash) & (entries.count - 1)
                while entries[slot].keyCount > 0 {
                    let entry = entries[slot]
                    if entry.hash == hash, Self.equal(entry, keys, word) {
                        let start = Int(entry.tokenStart)
                        return start..<(start + Int(entry.tokenCount))
                    }
                    slot = (slot + 1) & (entries.count - 1)
                }
                return nil
            }
        }
    }

    @inline(__always)
    private static func equal(
        _ entry: Entry, _ keys: UnsafeBufferPointer<UInt8>, _ word: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard Int(entry.keyCount) == word.count else { return false }
        let start = Int(entry.keyStart)
        for index in 0..<word.count where keys[start + index] != word[index] { return false }
        return true
    }

    mutating func insert(
        _ word: UnsafeBufferPointer<UInt8>, hash: UInt64, _ symbols: borrowing SymbolRow
    ) {
        guard !word.isEmpty else { return }
        if used >= Self.wordsMax || keys.count > Self.keyBytesMax { removeAll() }
        var slot = Int(truncatingIfNeeded: hash) & (entries.count - 1)
        while entries[slot].keyCount > 0 { slot = (slot + 1) & (entries.count - 1) }
        entries[slot] = Entry(
            hash: hash, keyStart: UInt32(keys.count), keyCount: UInt16(word.count),
            tokenCount: UInt16(symbols.count), tokenStart: UInt32(ids.count))
        keys.append(contentsOf: word)
        ids.append(contentsOf: symbols.ids)
        for length in symbols.lengths { lengths.append(UInt8(length)) }
        used += 1
    }

    private mutating func removeAll() {
        for index in entries.indices { entries[index] = Entry() }
        used = 0
        keys.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }
}
