/// Images that look nearly the same, joined into clusters.
///
/// Clusters are chains: each image is within the distance of another one of its cluster, not of
/// all. That is what keeps leaks out of splits, and why a large distance can join a dataset of
/// similar pictures into one; `largest` shows it.
package struct DuplicateClusters: Sendable {
    /// For each hash the place of the first one of its cluster: its own where it is alone.
    package let firsts: [Int32]
    /// Bits to the nearest other hash of the cluster; nil where it is alone.
    package let nearestBits: [UInt8?]
    /// Bits in which neighbours may differ.
    package let distanceMax: Int

    /// Above this the search degenerates to comparing all pairs.
    package static let distanceLimit = 16

    /// Joins hashes that differ in at most `distanceMax` bits, 0 to `distanceLimit`.
    package init(of hashes: [UInt64], distanceMax: Int) {
        precondition(
            (0...Self.distanceLimit).contains(distanceMax),
            "clusters: distance \(distanceMax), allowed 0...\(Self.distanceLimit)")
        // Equal hashes are joined first, so that a picture stored thousands of times is one.
        let groups = EqualHashes(hashes)
        var sets = DisjointSets(count: groups.distinct.count)
        var nearest = [UInt8](repeating: .max, count: groups.distinct.count)
        if distanceMax > 0 {
            HashIndex(hashes: groups.distinct, distanceMax: distanceMax).forEachPair { a, b, bits in
                sets.join(a, b)
                nearest[a] = min(nearest[a], UInt8(bits))
                nearest[b] = min(nearest[b], UInt8(bits))
                return true
            }
        }
        firsts = groups.numbers.map { groups.firsts[sets.first(Int($0))] }
        nearestBits = groups.numbers.map { number in
            if groups.counts[Int(number)] > 1 { return 0 }
            return nearest[Int(number)] == .max ? nil : nearest[Int(number)]
        }
        self.distanceMax = distanceMax
    }

    /// Places of all clusters of two or more, largest first, then by their first member.
    package var clusters: [[Int]] {
        var sizes = [Int32](repeating: 0, count: firsts.count)
        for first in firsts { sizes[Int(first)] += 1 }
        var members: [Int32: [Int]] = [:]
        for (place, first) in firsts.enumerated() where sizes[Int(first)] > 1 {
            members[first, default: []].append(place)
        }
        return members.values.sorted { ($1.count, $0[0]) < ($0.count, $1[0]) }
    }

    /// Images left if each cluster were one.
    package var distinctCount: Int {
        firsts.enumerated().count { Int($0.element) == $0.offset }
    }

    /// The smallest distance between hashes with different labels, such as splits, looking from
    /// `distanceMin` up to `distanceMax` bits; nil if there is none within. Where none can be
    /// nearer than `distanceMin`, the first pair at that distance ends the search.
    package static func nearestAcross(
        _ hashes: [UInt64], labels: [UInt8], from distanceMin: Int = 0, to distanceMax: Int = 10
    ) -> Int? {
        precondition(hashes.count == labels.count, "nearestAcross: \(labels.count) labels")
        for distance in distanceMin...max(distanceMin, min(distanceMax, distanceLimit)) {
            var nearest = Int.max
            HashIndex(hashes: hashes, distanceMax: distance).forEachPair { a, b, bits in
                if labels[a] != labels[b] { nearest = min(nearest, bits) }
                return nearest > distanceMin
            }
            if nearest < .max { return nearest }
        }
        return nil
    }
}

/// Hashes without repeats.
private struct EqualHashes {
    private(set) var distinct: [UInt64] = []
    /// Where each distinct hash is met first.
    private(set) var firsts: [Int32] = []
    private(set) var counts: [Int32] = []
    /// The number of each hash among the distinct ones.
    private(set) var numbers: [Int32] = []

    init(_ hashes: [UInt64]) {
        var known: [UInt64: Int32] = [:]
        numbers.reserveCapacity(hashes.count)
        for (place, hash) in hashes.enumerated() {
            if let number = known[hash] {
                counts[Int(number)] += 1
                numbers.append(number)
            } else {
                known[hash] = Int32(distinct.count)
                numbers.append(Int32(distinct.count))
                distinct.append(hash)
                firsts.append(Int32(place))
                counts.append(1)
            }
        }
    }
}
