import Foundation

/// Rows for a class or scenario.
package struct BalanceRow: Sendable, Hashable {
    package let key: String
    package let rows: Int
    /// Rows after near-duplicates are counted once.
    package let distinct: Int
    /// Share of all rows, 0 to 1.
    package let share: Double
    /// Rows wanted; 0 for no minimum.
    package let wanted: Int

    /// Rows that are missing, duplicates not counted.
    package var missing: Int { max(0, wanted - distinct) }
}

/// How rows are spread over classes.
package struct Balance: Sendable {
    /// Smallest share first, then by key.
    package let rows: [BalanceRow]
    /// The largest class divided by the smallest; 0 with fewer than two classes, infinite if one
    /// that was declared has no row.
    package let imbalanceRatio: Double
    /// How many classes of equal size would be as diverse: exp of the entropy (Hill 1973).
    package let effectiveCount: Double

    /// Counts rows one by one; every declared class is reported, with no rows too.
    package struct Count: Sendable {
        private var counts: [String: (rows: Int, distinct: Int)] = [:]
        private var total = 0

        /// - Parameter declared: keys that are reported without a row too
        package init(declared: [String] = []) {
            for key in declared { counts[key] = (0, 0) }
        }

        /// Adds a row under each of its keys, such as a class and "tag:negative".
        ///
        /// - Parameter isRepeat: whether a near-duplicate of it was counted before
        package mutating func add(_ keys: [String], isRepeat: Bool) {
            total += 1
            for key in keys {
                counts[key, default: (0, 0)].rows += 1
                counts[key, default: (0, 0)].distinct += isRepeat ? 0 : 1
            }
        }

        /// The balance of what was counted.
        ///
        /// - Parameter wanted: fewest rows for a key
        package func balance(wanted: (String) -> Int = { _ in 0 }) -> Balance {
            let rows = counts.map { key, count in
                BalanceRow(
                    key: key, rows: count.rows, distinct: count.distinct,
                    share: total == 0 ? 0 : Double(count.rows) / Double(total),
                    wanted: wanted(key))
            }
            return Balance(rows)
        }
    }

    private init(_ unsorted: [BalanceRow]) {
        rows = unsorted.sorted { ($0.rows, $0.key) < ($1.rows, $1.key) }
        let (smallest, largest) = (rows.first?.rows ?? 0, rows.last?.rows ?? 0)
        imbalanceRatio =
            rows.count < 2 || largest == 0 ? 0 : Double(largest) / Double(smallest)
        let sum = Double(rows.reduce(0) { $0 + $1.rows })
        let entropy = rows.reduce(0) { total, row in
            row.rows == 0 ? total : total - Double(row.rows) / sum * log(Double(row.rows) / sum)
        }
        effectiveCount = sum == 0 ? 0 : exp(entropy)
    }
}

/// Share of rows that should have a tag.
package struct TagQuota: Sendable, Hashable {
    package let tag: String
    /// Basis points of all rows.
    package let pointsMin: Int
    /// Basis points of all rows; 0 for no upper limit.
    package let pointsMax: Int

    package init(tag: String, pointsMin: Int, pointsMax: Int = 0) {
        (self.tag, self.pointsMin, self.pointsMax) = (tag, pointsMin, pointsMax)
    }

    /// What a dataset without quotas of its own is held against: some of the rows that
    /// production brings and clean collections lack.
    package static let standard = [
        TagQuota(tag: "negative", pointsMin: 500, pointsMax: 5_000),
        TagQuota(tag: "ambiguous", pointsMin: 200, pointsMax: 2_000),
        TagQuota(tag: "low_quality", pointsMin: 200, pointsMax: 2_000),
        TagQuota(tag: "flag_for_human", pointsMin: 100, pointsMax: 2_000),
    ]

    /// Whether rows meet it: compared without rounding, so that 5.00 % of 2,001 rows is exact.
    package func result(tagged: Int, of rows: Int) -> QuotaResult {
        let (share, scale) = (tagged * 10_000, max(rows, 1))
        let isMet =
            rows > 0 && share >= pointsMin * scale
            && (pointsMax == 0 || share <= pointsMax * scale)
        return QuotaResult(quota: self, rows: tagged, points: share / scale, isMet: isMet)
    }
}

/// Whether a quota is met.
package struct QuotaResult: Sendable, Hashable {
    package let quota: TagQuota
    /// Rows with the tag.
    package let rows: Int
    /// Share found, in whole basis points.
    package let points: Int
    package let isMet: Bool
}
