/// Finds all pairs of hashes within a few bits of each other without comparing all pairs.
///
/// The 64 bits are cut into `distance + s` blocks. Two hashes within the distance are equal in at
/// least s of the blocks, so for each choice of s blocks the hashes are sorted by those bits and
/// compared only with their equals there (Manku, Jain and Das Sarma, Detecting Near-Duplicates
/// for Web Crawling, 2007). Nothing is missed: every candidate is checked bit by bit.
/// s is chosen by the number of hashes so that few strangers share a key; then time grows
/// linearly. Memory is 8 bytes for each hash above the hashes.
struct HashIndex {
    let hashes: [UInt64]
    let distanceMax: Int

    /// Tables of one search; more would cost more than they save.
    private static let tablesMax = 2_000

    /// Calls `body` with the places of both hashes and their distance, more than once for pairs
    /// that share several keys, until it returns false.
    func forEachPair(_ body: (Int, Int, Int) -> Bool) {
        guard hashes.count > 1 else { return }
        var order = [Int32](repeating: 0, count: hashes.count)
        for mask in masks() {
            let starts = sort(by: mask, into: &order)
            var first = 0
            for end in starts {
                let end = Int(end)
                if end - first > 1, !compare(order, first..<end, body) { return }
                first = end
            }
        }
    }

    private func compare(
        _ order: [Int32], _ range: Range<Int>, _ body: (Int, Int, Int) -> Bool
    ) -> Bool {
        for left in range {
            let hash = hashes[Int(order[left])]
            for right in (left + 1)..<range.upperBound {
                let distance = (hash ^ hashes[Int(order[right])]).nonzeroBitCount
                guard distance <= distanceMax else { continue }
                if !body(Int(order[left]), Int(order[right]), distance) { return false }
            }
        }
        return true
    }

    /// Counting sort of all places by the bits of a mask; returns where each key ends.
    private func sort(by mask: KeyMask, into order: inout [Int32]) -> [Int32] {
        var ends = [Int32](repeating: 0, count: 1 << mask.width)
        for hash in hashes { ends[mask.key(of: hash)] += 1 }
        var sum: Int32 = 0
        for key in ends.indices {
            sum += ends[key]
            ends[key] = sum
        }
        var next = ends
        for place in hashes.indices.reversed() {
            let key = mask.key(of: hashes[place])
            next[key] -= 1
            order[Int(next[key])] = Int32(place)
        }
        return ends
    }

    /// The choices of s blocks, for the s that makes the work smallest.
    private func masks() -> [KeyMask] {
        let count = Double(hashes.count)
        var best: (work: Double, shared: Int) = (.infinity, 0)
        for shared in 0...6 {
            let blocks = distanceMax + shared
            let tables = shared == 0 ? 1 : Self.choices(blocks, shared)
            let width = shared == 0 ? 0 : min(24, 64 * shared / blocks)
            guard blocks <= 64, tables <= Self.tablesMax else { break }
            // Sorting costs some ten comparisons a hash, and a key's slot about four.
            let keys = Double(1 << width)
            let work = Double(tables) * (10 * count + 4 * keys + count * count / 2 / keys)
            if work < best.work { best = (work, shared) }
        }
        return Self.masks(blocks: distanceMax + best.shared, shared: best.shared)
    }

    private static func choices(_ n: Int, _ k: Int) -> Int {
        (0..<k).reduce(1) { $0 * (n - $1) / ($1 + 1) }
    }

    private static func masks(blocks: Int, shared: Int) -> [KeyMask] {
        guard shared > 0 else { return [KeyMask([])] }
        let ranges = (0..<blocks).map { ($0 * 64 / blocks)..<(($0 + 1) * 64 / blocks) }
        var chosen: [[Int]] = [[]]
        for _ in 0..<shared {
            chosen = chosen.flatMap { choice in
                (((choice.last ?? -1) + 1)..<blocks).map { choice + [$0] }
            }
        }
        return chosen.filter { $0.count == shared }.map { KeyMask($0.map { ranges[$0] }) }
    }
}

/// Some ranges of bits of a hash, put side by side.
private struct KeyMask {
    private let parts: [(shift: UInt64, mask: UInt64, width: UInt64)]
    /// Bits of a key, at most 24: what is more is left out, which only adds candidates.
    let width: Int

    init(_ ranges: [Range<Int>]) {
        var parts: [(UInt64, UInt64, UInt64)] = []
        var sum = 0
        for range in ranges {
            let width = min(range.count, 24 - sum)
            parts.append((UInt64(range.lowerBound), (1 << UInt64(width)) - 1, UInt64(width)))
            sum += width
        }
        (self.parts, width) = (parts, sum)
    }

    func key(of hash: UInt64) -> Int {
        var key: UInt64 = 0
        for part in parts { key = key << part.width | (hash >> part.shift) & part.mask }
        return Int(key)
    }
}
