package import Base

/// One of the parts that a version is divided into.
package enum SplitPart: UInt8, Sendable, CaseIterable, Hashable {
    case train
    case validation
    case test
}

/// Shares of the parts, in basis points of all rows.
package struct SplitShares: Sendable, Hashable {
    package let validationPoints: Int
    package let testPoints: Int

    /// Fewer test rows than this leave an accuracy of 90 % uncertain by more than four points.
    package static let testRowsWanted = 200

    /// Nil unless both are 0 to 5,000, which always leaves train something or nothing to do.
    package init?(validationPoints: Int, testPoints: Int) {
        guard (0...5_000).contains(validationPoints), (0...5_000).contains(testPoints) else {
            return nil
        }
        (self.validationPoints, self.testPoints) = (validationPoints, testPoints)
    }

    private init(_ validationPoints: Int, _ testPoints: Int) {
        (self.validationPoints, self.testPoints) = (validationPoints, testPoints)
    }

    /// 10 % each; from 1,000 rows on at least 200 rows for the test.
    package static func standard(rows: Int) -> SplitShares {
        guard rows >= 1_000 else { return SplitShares(1_000, 1_000) }
        return SplitShares(1_000, max(1_000, (testRowsWanted * 10_000 + rows - 1) / rows))
    }

    /// Shares of train, validation and test; their sum is 1.
    var shares: [Double] {
        let points = [10_000 - validationPoints - testPoints, validationPoints, testPoints]
        return points.map { Double($0) / 10_000 }
    }
}

/// Why rows cannot be divided.
package enum SplitError: Failure, Hashable {
    /// Rows that belong together were told to be in different parts.
    case partsConflict(components: Int, firstRow: UInt64)

    package var kind: FailureKind { .precondition }
    package var reason: String { "SPLITS_LEAK" }
    package var message: String {
        switch self {
        case .partsConflict(let components, let row):
            "\(components) sets of rows that share a group or a near-duplicate are given in two "
                + "or more parts, such as that of row \(String(row, radix: 16)); 0 are allowed: "
                + "divide anew, or correct the parts given"
        }
    }
}

/// Divides rows into train, validation and test so that nothing is on two sides.
///
/// Rows that share a link (a group value, a near-duplicate cluster, an image) form a component,
/// and components are never divided. They are placed largest first, each where its strata lack
/// the most rows for their share; single rows then fill every stratum up to within one row of its
/// ideal, if components leave that possible. All choices follow a hash of seed and row id, so the
/// order in which rows are added does not matter. Time is that of sorting compact records, memory
/// about 50 bytes a row and as much for each link.
package struct SplitPlan: Sendable {
    private let seed: UInt64
    private var ids: [UInt64] = []
    private var strata: [Int32] = []
    private var fixed: [SplitPart?] = []
    private var sets = DisjointSets()
    private var linkOwners: [UInt64: Int32] = [:]
    private var stratumNumbers: [String: Int32] = [:]

    /// The same rows, shares and seed give the same parts.
    package init(seed: UInt64) { self.seed = seed }

    /// Makes room at once: growing step by step holds half as much again.
    package mutating func reserve(rows: Int, links: Int) {
        ids.reserveCapacity(rows)
        strata.reserveCapacity(rows)
        fixed.reserveCapacity(rows)
        sets.reserve(rows)
        linkOwners.reserveCapacity(links)
    }

    /// Rows added.
    package var count: Int { ids.count }

    /// 64 bits of a name, the same on every machine: row ids and links are made of them.
    package static func hash(_ text: String, salt: UInt64 = 0) -> UInt64 {
        // FNV-1a takes in the bytes, Philox spreads them over all bits.
        let sum = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return Philox.mixed(sum, seed: salt)
    }

    /// Adds a row.
    ///
    /// - Parameters:
    ///   - id: 64 bits that name the row, different for each
    ///   - stratum: what is to be spread evenly, such as the class; "" for all in one
    ///   - links: hashes of what must not be on two sides, such as of "patient\u{0}17"
    ///   - part: where the row must be, if it is known
    package mutating func add(
        id: UInt64, stratum: String = "", links: [UInt64] = [], part: SplitPart? = nil
    ) {
        let row = ids.count
        ids.append(id)
        fixed.append(part)
        let new = Int32(stratumNumbers.count)
        strata.append(stratumNumbers[stratum] ?? new)
        if strata[row] == new { stratumNumbers[stratum] = new }
        sets.append()
        for link in links {
            if let owner = linkOwners[link] {
                sets.join(Int(owner), row)
            } else {
                linkOwners[link] = Int32(row)
            }
        }
    }

    /// The part of each row, in the order in which rows were added.
    package consuming func divided(_ shares: SplitShares) throws(SplitError) -> [SplitPart] {
        // Links are not needed any more, and may be most of the memory.
        linkOwners = [:]
        let seed = self.seed
        let keys = ids.map { Philox.mixed($0, seed: seed) }
        let components = Components(&sets, keys: keys)
        let names = stratumNumbers.sorted { $0.key < $1.key }.map { Int($0.value) }
        var placement = Placement(
            shares: shares.shares, strata: strata, order: names)
        try placement.placeFixed(components, fixed, ids)
        for component in components.bySize where component.count > 1 {
            placement.place(component)
        }
        placement.fill(components.singles)
        return placement.parts.map { $0 ?? .train }
    }
}

/// Rows that must stay together.
private struct Components {
    /// Rows by component, in the order of keys within.
    private let rows: [Int32]
    /// Where each component begins; one more than components.
    private let starts: [Int32]
    /// Largest first; equal ones, and single rows, in the order of keys.
    var bySize: LazyMapSequence<Range<Int>, ArraySlice<Int32>> {
        let (rows, starts) = (rows, starts)
        return (0..<starts.count - 1).lazy.map { rows[Int(starts[$0])..<Int(starts[$0 + 1])] }
    }
    /// Rows that are alone. Largest components come first, so these are the last ones.
    var singles: ArraySlice<Int32> {
        let first = (0..<starts.count - 1).first { starts[$0 + 1] - starts[$0] == 1 }
        return first.map { rows[Int(starts[$0])...] } ?? []
    }

    init(_ sets: inout DisjointSets, keys: [UInt64]) {
        let order = (0..<Int32(keys.count)).sorted { keys[Int($0)] < keys[Int($1)] }
        // The key of a component is its smallest, which no order of adding changes.
        var sizes = [Int32](repeating: 0, count: keys.count)
        var firsts = [Int32](repeating: 0, count: keys.count)
        for row in keys.indices {
            firsts[row] = Int32(sets.first(row))
            sizes[Int(firsts[row])] += 1
        }
        var seen = [Int32](repeating: -1, count: keys.count)
        var roots: [Int32] = []
        for row in order where seen[Int(firsts[Int(row)])] < 0 {
            seen[Int(firsts[Int(row)])] = Int32(roots.count)
            roots.append(firsts[Int(row)])
        }
        let bySize = (0..<Int32(roots.count)).sorted {
            (sizes[Int(roots[Int($1)])], $0) < (sizes[Int(roots[Int($0)])], $1)
        }
        var starts: [Int32] = [0]
        starts.reserveCapacity(roots.count + 1)
        var next = [Int32](repeating: 0, count: roots.count)
        for component in bySize {
            let start = starts[starts.count - 1]
            next[Int(component)] = start
            starts.append(start + sizes[Int(roots[Int(component)])])
        }
        var rows = [Int32](repeating: 0, count: keys.count)
        for row in order {
            let component = Int(seen[Int(firsts[Int(row)])])
            rows[Int(next[component])] = row
            next[component] += 1
        }
        (self.rows, self.starts) = (rows, starts)
    }
}

/// Rows being placed, and what each stratum lacks.
private struct Placement {
    private(set) var parts: [SplitPart?]
    private let strata: [Int32]
    /// Numbers of strata in the order of their names.
    private let order: [Int]
    private let shares: [Double]
    /// Rows of each stratum, and those placed in each part, three for each.
    private var sizes: [Int]
    private var placed: [Int]

    init(shares: [Double], strata: [Int32], order: [Int]) {
        (self.shares, self.strata, self.order) = (shares, strata, order)
        parts = [SplitPart?](repeating: nil, count: strata.count)
        sizes = [Int](repeating: 0, count: order.count)
        placed = [Int](repeating: 0, count: order.count * 3)
        for stratum in strata { sizes[Int(stratum)] += 1 }
    }

    private mutating func put(_ row: Int, _ part: SplitPart) {
        parts[row] = part
        placed[Int(strata[row]) * 3 + Int(part.rawValue)] += 1
    }

    /// Components with a row whose part is given go there as a whole.
    mutating func placeFixed(
        _ components: Components, _ fixed: [SplitPart?], _ ids: [UInt64]
    ) throws(SplitError) {
        var conflicts = 0
        var firstRow: UInt64 = .max
        for component in components.bySize {
            let given = component.lazy.compactMap { fixed[Int($0)] }
            if given.isEmpty { continue }
            let wanted = Set(given)
            if wanted.count > 1 {
                conflicts += 1
                firstRow = component.reduce(firstRow) { min($0, ids[Int($1)]) }
            }
            if let part = wanted.first { for row in component { put(Int(row), part) } }
        }
        guard conflicts == 0 else {
            throw SplitError.partsConflict(components: conflicts, firstRow: firstRow)
        }
    }

    /// Puts a component where it brings all strata closest to their shares.
    mutating func place(_ component: ArraySlice<Int32>) {
        guard let first = component.first, parts[Int(first)] == nil else { return }
        var counts: [Int: Int] = [:]
        for row in component { counts[Int(strata[Int(row)]), default: 0] += 1 }
        var best = (cost: Double.infinity, part: SplitPart.train)
        for part in SplitPart.allCases where shares[Int(part.rawValue)] > 0 {
            // Terms are summed in the order of strata, since the order of a dictionary varies.
            let cost = counts.sorted { $0.key < $1.key }.reduce(0) { sum, entry in
                let ideal = Double(sizes[entry.key]) * shares[Int(part.rawValue)]
                let lack = ideal - Double(placed[entry.key * 3 + Int(part.rawValue)])
                let added = Double(entry.value)
                // The growth of (lack)², beside the ideal, so that small parts get their share.
                return sum + (added * added - 2 * added * lack) / (ideal + 1)
            }
            if cost < best.cost { best = (cost, part) }
        }
        for row in component { put(Int(row), best.part) }
    }

    /// Fills each stratum with single rows up to its ideal, rounded so that the parts as a whole
    /// keep theirs too.
    mutating func fill(_ singles: ArraySlice<Int32>) {
        var waiting = [[Int32]](repeating: [], count: order.count)
        for row in singles where parts[Int(row)] == nil {
            waiting[Int(strata[Int(row)])].append(row)
        }
        var debts = [0.0, 0, 0]
        for stratum in order {
            let counts = room(stratum, waiting[stratum].count, debts)
            var next = 0
            for part in SplitPart.allCases {
                let count = counts[Int(part.rawValue)]
                for row in waiting[stratum][next..<(next + count)] { put(Int(row), part) }
                next += count
                let ideal = Double(sizes[stratum]) * shares[Int(part.rawValue)]
                debts[Int(part.rawValue)] +=
                    ideal - Double(placed[stratum * 3 + Int(part.rawValue)])
            }
        }
    }

    /// How many of `count` single rows of a stratum go to each part: whole rows of the ideal
    /// first, then the rest to the parts that lack most over all strata so far.
    private func room(_ stratum: Int, _ count: Int, _ debts: [Double]) -> [Int] {
        let ideals = shares.map { Double(sizes[stratum]) * $0 }
        let have = (0..<3).map { placed[stratum * 3 + $0] }
        var counts = (0..<3).map { max(0, Int(ideals[$0].rounded(.down)) - have[$0]) }
        var left = count - counts.reduce(0, +)
        while left < 0 {
            // Components took more than the ideal elsewhere: the fullest part gives way.
            let over =
                (0..<3).filter { counts[$0] > 0 }
                .max { excess($0, have, counts, ideals) < excess($1, have, counts, ideals) } ?? 0
            counts[over] -= 1
            left += 1
        }
        while left > 0 {
            let open = (0..<3).filter { shares[$0] > 0 && excess($0, have, counts, ideals) < 0 }
            let choice = (open.isEmpty ? (0..<3).filter { shares[$0] > 0 } : open).max {
                debts[$0] - excess($0, have, counts, ideals)
                    < debts[$1] - excess($1, have, counts, ideals)
            }
            counts[choice ?? 0] += 1
            left -= 1
        }
        return counts
    }

    private func excess(
        _ part: Int, _ have: [Int], _ counts: [Int], _ ideals: [Double]
    ) -> Double {
        Double(have[part] + counts[part]) - ideals[part]
    }
}
