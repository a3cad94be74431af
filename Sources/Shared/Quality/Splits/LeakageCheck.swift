/// Counts what is on two sides of an assignment, whoever made it.
///
/// Rows are added one by one; only hashes of what they hold are kept, with the parts that hold
/// them. Nothing of `SplitPlan` is used here, so that its errors cannot hide.
package struct LeakageCheck: Sendable {
    private struct Held {
        /// One bit for each part.
        var parts: UInt8 = 0
        var rows: Int32 = 0
    }

    private var images: [UInt64: Held] = [:]
    private var clusters: [UInt64: Held] = [:]
    private var groups: [String: [UInt64: Held]] = [:]
    private var imageCount = 0

    package init() {}

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
        let bit: UInt8 = 1 << part.rawValue
        imageCount += contents.images.count
        for image in Set(contents.images) { Self.note(bit, &images[image, default: Held()]) }
        for cluster in Set(contents.clusters) {
            Self.note(bit, &clusters[cluster, default: Held()])
        }
        for group in contents.groups {
            Self.note(bit, &groups[group.key, default: [:]][group.value, default: Held()])
        }
    }

    /// The counts over all rows added.
    package var certificate: LeakageCertificate {
        LeakageCertificate(
            sharedImages: Self.shared(images), sharedClusters: Self.shared(clusters),
            sharedGroups: groups.values.reduce(0) { $0 + Self.shared($1) },
            clusters: clusters.values.count { $0.rows > 1 },
            groups: groups.sorted { $0.key < $1.key }.map { ($0.key, $0.value.count) },
            images: imageCount)
    }

    private static func note(_ bit: UInt8, _ held: inout Held) {
        held.parts |= bit
        held.rows += 1
    }

    private static func shared(_ held: [UInt64: Held]) -> Int {
        held.values.count { $0.parts.nonzeroBitCount > 1 }
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
