/// How well scores tell rows of a class from others, whatever the threshold.
package struct RankingCurve: Sendable, Hashable {
    /// A threshold, and what it leads to.
    package struct Point: Sendable, Hashable {
        /// Rows with at least this score are taken for the class.
        package let threshold: Double
        /// Of the rows of the class, the share taken for it.
        package let truePositives: Double
        /// Of the other rows, the share taken for it.
        package let falsePositives: Double
        /// Of the rows taken for it, the share that is of the class.
        package let precision: Double
    }

    /// One point for each score that occurs, highest first.
    package let points: [Point]
    /// Area under the receiver operating characteristic; ties count half.
    package let area: Double
    /// Mean precision over the gains in recall.
    package let averagePrecision: Double

    /// Nil unless there are rows of both kinds and every score is a number.
    package init?(scores: [Double], isPositive: [Bool]) {
        let positives = isPositive.count { $0 }
        guard scores.count == isPositive.count, positives > 0, positives < scores.count,
            !scores.contains(where: \.isNaN)
        else { return nil }
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        let (yes, no) = (Double(positives), Double(scores.count - positives))
        var (hits, misses) = (0.0, 0.0)
        var (points, area, average): ([Point], Double, Double) = ([], 0, 0)
        var start = 0
        while start < order.count {
            let threshold = scores[order[start]]
            let (oldHits, oldMisses) = (hits, misses)
            while start < order.count, scores[order[start]] == threshold {
                if isPositive[order[start]] { hits += 1 } else { misses += 1 }
                start += 1
            }
            area += (misses - oldMisses) * (hits + oldHits) / 2
            average += (hits - oldHits) * hits / (hits + misses)
            points.append(
                Point(
                    threshold: threshold, truePositives: hits / yes, falsePositives: misses / no,
                    precision: hits / (hits + misses)))
        }
        self.points = points
        self.area = area / (yes * no)
        averagePrecision = average / yes
    }

    /// Mean area over classes, each against the rest; classes without rows do not count. Nil where
    /// no class has a curve.
    ///
    /// - Parameters:
    ///   - scores: of every row, one for each class
    ///   - actual: the class of every row
    package static func meanArea(scores: [[Double]], actual: [Int]) -> Double? {
        guard scores.count == actual.count, let classes = scores.first?.count,
            scores.allSatisfy({ $0.count == classes })
        else { return nil }
        let areas = (0..<classes).compactMap { label in
            RankingCurve(scores: scores.map { $0[label] }, isPositive: actual.map { $0 == label })?
                .area
        }
        return areas.isEmpty ? nil : areas.reduce(0, +) / Double(areas.count)
    }
}
