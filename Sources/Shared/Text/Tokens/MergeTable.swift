/// What two neighbouring tokens become, and how early: the heart of byte-pair encoding.
struct MergeTable: Sendable {
    /// The pair's ids, left in the upper half; `free` where there is none.
    private var keys: [UInt64]
    /// Rank in the upper half, so that a smaller value merges earlier; the new id in the lower.
    private var values: [UInt64]
    private(set) var count = 0

    private static let free = UInt64.max
    /// No merge.
    static let none = UInt64.max

    init(expecting count: Int) {
        var capacity = 16
        while capacity < min(count, 1 << 24) * 2 { capacity *= 2 }
        keys = [UInt64](repeating: Self.free, count: capacity)
        values = [UInt64](repeating: Self.none, count: capacity)
    }

    /// Says what `left` and `right` become; a later word on the same pair counts.
    mutating func insert(_ left: Int32, _ right: Int32, rank: Int, becomes id: Int32) {
        if (count + 1) * 2 > keys.count { grow() }
        let key = Self.key(left, right)
        let slot = find(key)
        if keys[slot] == Self.free { count += 1 }
        keys[slot] = key
        values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: id))
    }

    private mutating func grow() {
        let old = zip(keys, values).filter { $0.0 != Self.free }
        keys = [UInt64](repeating: Self.free, count: keys.count * 2)
        values = [UInt64](repeating: Self.none, count: keys.count)
        for (key, value) in old {
            let slot = find(key)
            (keys[slot], values[slot]) = (key, value)
        }
    }

    private func find(_ key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: WordHash.mix(key)) & mask
        while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Calls `body` with a view that looks pairs up without checks.
    func withView<R, E>(_ body: (View) throws(E) -> R) throws(E) -> R {
        try keys.withUnsafeBufferPointer { keys throws(E) -> R in
            try values.withUnsafeBufferPointer { values throws(E) -> R in
                try body(View(keys: keys, values: values))
            }
        }
    }

    /// The table during a call.
    struct View {
        let keys: UnsafeBufferPointer<UInt64>
        let values: UnsafeBufferPointer<UInt64>

        /// Rank and new id of a pair, or `none`.
        @inline(__always)
        func merge(_ left: Int32, _ right: Int32) -> UInt64 {
            let key = MergeTable.key(left, right)
            let mask = keys.count - 1
            var slot = Int(truncatingIfNeeded: WordHash.mix(key)) & mask
            while true {
                let found = keys[slot]
                if found == key { return values[slot] }
                if found == MergeTable.free { return MergeTable.none }
                slot = (slot + 1) & mask
            }
        }
    }
}
