import Messages
import Quality

/// What is odd about images by their own pixels.
struct ImageReport: Sendable {
    /// An odd image at one place of a row.
    struct Finding: Sendable {
        let row: Int
        let index: Int
        let found: Quality.ImageFinding
    }

    /// Clearest first, at most as many of each kind as are listed.
    let findings: [Finding]
    /// Places with each oddity.
    let counts: [ImageOddity: Int]
    /// Places with at least one.
    let oddSlots: Int
    let statistics: [Distribution]

    init(_ scan: InspectionScan, _ stored: [StoredMeasures?], _ terms: InspectionTerms) {
        let images = scan.images
        let measures = stored.indices.map { image in
            stored[image].flatMap { numbers in
                ImageMeasures(
                    width: max(1, Int(images.widths[image])),
                    height: max(1, Int(images.heights[image])), numbers: numbers.numbers)
            }
        }
        let seen = images.slots.compactMap { measures[Int($0)] }
        let sides = seen.map { (Double($0.width) * Double($0.height)).squareRoot() }.sorted()
        let median = sides.isEmpty ? 0 : sides[sides.count / 2]
        let coloured = seen.count { ($0.chroma ?? 0) >= terms.thresholds.greyscale }
        let share = seen.isEmpty ? 0 : Double(coloured) / Double(seen.count)
        var collected = Collected(max: terms.findingsMax)
        for row in 0..<scan.count {
            for (index, slot) in images.slots(of: row).enumerated() {
                guard let image = measures[Int(images.slots[slot])] else { continue }
                let found = terms.thresholds.findings(
                    image, medianSide: median, colouredShare: share)
                collected.add(found, row: row, index: index)
            }
        }
        (counts, oddSlots) = (collected.counts, collected.oddSlots)
        findings = collected.sorted
        statistics = Self.statistics(seen)
    }

    private static func statistics(_ seen: [ImageMeasures]) -> [Distribution] {
        [
            Distribution(named: "brightness", seen.map(\.brightness)),
            Distribution(named: "contrast", seen.map(\.contrast)),
            Distribution(named: "sharpness", seen.map(\.sharpness)),
            Distribution(named: "width", seen.map { Double($0.width) }),
            Distribution(named: "height", seen.map { Double($0.height) }),
            Distribution(named: "aspect", seen.map(\.aspect)),
            Distribution(named: "color", seen.compactMap(\.chroma)),
        ]
    }

    /// Findings as they come; of each kind only the clearest are kept.
    private struct Collected {
        let max: Int
        var counts: [ImageOddity: Int] = [:]
        var oddSlots = 0
        private var kept: [ImageOddity: [Finding]] = [:]

        init(max: Int) { self.max = max }

        mutating func add(_ found: [Quality.ImageFinding], row: Int, index: Int) {
            if !found.isEmpty { oddSlots += 1 }
            for finding in found {
                counts[finding.oddity, default: 0] += 1
                kept[finding.oddity, default: []].append(
                    Finding(row: row, index: index, found: finding))
                // Cut now and then, so that a million odd images take no more room than a few.
                if (kept[finding.oddity]?.count ?? 0) > 2 * max + 1_000 { cut(finding.oddity) }
            }
        }

        private mutating func cut(_ oddity: ImageOddity) {
            let sorted = (kept[oddity] ?? []).sorted(by: Self.isClearer)
            kept[oddity] = Array(sorted.prefix(max))
        }

        private static func isClearer(_ a: Finding, _ b: Finding) -> Bool {
            (a.found.score, a.row, a.index) < (b.found.score, b.row, b.index)
        }

        var sorted: [Finding] {
            kept.values.flatMap { $0.sorted(by: Self.isClearer).prefix(max) }
                .sorted { a, b in
                    (a.found.score, a.row, a.index, a.found.oddity.rawValue)
                        < (b.found.score, b.row, b.index, b.found.oddity.rawValue)
                }
        }
    }
}

extension Distribution {
    /// How values are spread, with a histogram of 20 bins.
    init(named name: String, _ values: [Double]) {
        self.init()
        self.name = name
        sampleCount = UInt64(values.count)
        let sorted = values.sorted()
        guard let low = sorted.first, let high = sorted.last else { return }
        let count = Double(sorted.count)
        mean = sorted.reduce(0, +) / count
        let squares = sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        standardDeviation = sorted.count > 1 ? (squares / (count - 1)).squareRoot() : 0
        quantiles = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1].map { share in
            sorted[min(sorted.count - 1, Int(share * (count - 1) + 0.5))]
        }
        histogram = Histogram(of: sorted, from: low, to: high)
    }
}

extension Histogram {
    fileprivate init(of values: [Double], from low: Double, to high: Double) {
        self.init()
        let bins = 20
        let step = high > low ? (high - low) / Double(bins) : 1
        binEdges = (0...bins).map { low + Double($0) * step }
        binCounts = [UInt64](repeating: 0, count: bins)
        for value in values { binCounts[min(bins - 1, Int((value - low) / step))] += 1 }
    }
}
