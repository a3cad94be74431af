/// Counts what is on two sides of an assignment, whoever made it.
///
/// Rows are added one by one; only hashes of what they hold are kept, with the parts that hold
/// them. Nothing of `SplitPlan` is used here, so that its errors cannot hide.
package struct LeakageCheck: Sendable {
    private var images = Holders()
    private var clusters = Holders()
    private var groups: [(key: String, values: Holders)] = []
    private var imageCount = 0

    package init() {}

    /// Makes room for so many images at once.
    package mutating func reserve(images: Int) { self.images.reserve(images) }

    /// What a row holds, as 64-bit hashes.
    package struct Contents: Sendable {
        /// Digests of its images.
        package var images: [UInt64]
        /// Clusters of near-duplicates that its images are in.
        package var clusters: [UInt64]
        /// Group values by group key, such as "patient".
        package var groups: [(key: String, value: UInt64)]

        /// Everything that must not be on two sides.
        package init(
            images: [UInt64] = [], clusters: [UInt64] = [],
            groups: [(key: String, value: UInt64)] = []
        ) {
            (self.images, self.clusters, self.groups) = (images, clusters, groups)
        }
    }

    /// Adds a row of a part.
    package mutating func add(_ part: SplitPart, _ contents: Contents) {
        imageCount += contents.images.count
        images.add(contents.images, part)
        clusters.add(contents.clusters, part)
        for group in contents.groups {
            if let place = groups.firstIndex(where: { $0.key == group.key }) {
                groups[place].values.add([group.value], part)
            } else {
                groups.append((group.key, Holders()))
                groups[groups.count - 1].values.add([group.value], part)
            }
        }
    }

    /// The counts over all rows added.
    package mutating func certificate() -> LeakageCertificate {
        let (images, clusters) = (images.tally(), clusters.tally())
        var tallies: [(key: String, tally: Holders.Tally)] = []
        for place in groups.indices {
            tallies.append((groups[place].key, groups[place].values.tally()))
        }
        return LeakageCertificate(
            sharedImages: images.shared, sharedClusters: clusters.shared,
            sharedGroups: tallies.reduce(0) { $0 + $1.tally.shared }, clusters: clusters.repeated,
            groups: tallies.sorted { $0.key < $1.key }.map { ($0.key, $0.tally.distinct) },
            images: imageCount)
    }
}

/// Which parts hold which hashes: a list that is sorted once, since a dictionary of a million takes
/// three times the memory.
private struct Holders: Sendable {
    private var held: [(hash: UInt64, part: SplitPart)] = []

    mutating func reserve(_ count: Int) { held.reserveCapacity(count) }

    /// Adds what one row holds; the same thing twice in a row counts once.
    mutating func add(_ hashes: [UInt64], _ part: SplitPart) {
        for (index, hash) in hashes.enumerated() where !hashes[..<index].contains(hash) {
            held.append((hash, part))
        }
    }

    /// Different hashes, those in two parts or more, and those of two rows or more.
    struct Tally { let distinct, shared, repeated: Int }

    /// Counts once everything is added.
    mutating func tally() -> Tally {
        held.sort { ($0.hash, $0.part.rawValue) < ($1.hash, $1.part.rawValue) }
        let sorted = held
        var (distinct, shared, repeated) = (0, 0, 0)
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, sorted[end].hash == sorted[start].hash { end += 1 }
            distinct += 1
            // Parts are sorted within a hash: the first and the last differ if any do.
            if sorted[start].part != sorted[end - 1].part { shared += 1 }
            if end - start > 1 { repeated += 1 }
            start = end
        }
        return Tally(distinct: distinct, shared: shared, repeated: repeated)
    }
}

/// What is on two sides, and what was kept together.
package struct LeakageCertificate: Sendable {
    /// Images with equal bytes in two parts.
    package let sharedImages: Int
    /// Clusters of near-duplicates in two parts.
    package let sharedClusters: Int
    /// Group values in two parts.
    package let sharedGroups: Int
    /// Clusters of two rows or more.
    package let clusters: Int
    /// Different values of each group key, keys sorted.
    package let groups: [(key: String, values: Int)]
    /// Images looked at.
    package let images: Int

    /// Whether nothing is on two sides.
    package var isClean: Bool { sharedImages + sharedClusters + sharedGroups == 0 }
}

/// How rows of a part are spread over strata.
package struct SplitSpread: Sendable {
    package let part: SplitPart
    package let rows: Int
    /// Rows of each stratum, sorted by name.
    package let strata: [(name: String, rows: Int)]
    /// Largest difference of a stratum from its ideal number of rows.
    package let deviationMax: Double

    /// One for each part.
    package static func measure(
        _ parts: [SplitPart], strata: [String], shares: SplitShares
    ) -> [SplitSpread] {
        precondition(parts.count == strata.count, "spread: \(strata.count) strata")
        var counts: [String: [Int]] = [:]
        for (part, stratum) in zip(parts, strata) {
            counts[stratum, default: [0, 0, 0]][Int(part.rawValue)] += 1
        }
        let sorted = counts.sorted { $0.key < $1.key }
        return SplitPart.allCases.map { part in
            let number = Int(part.rawValue)
            let deviations = sorted.map { _, rows in
                abs(Double(rows[number]) - Double(rows.reduce(0, +)) * shares.shares[number])
            }
            return SplitSpread(
                part: part, rows: sorted.reduce(0) { $0 + $1.value[number] },
                strata: sorted.map { ($0.key, $0.value[number]) },
                deviationMax: deviations.max() ?? 0)
        }
    }
}
