import Base
import Quality

/// Which images, and so which rows, are the same or nearly.
struct DuplicateReport: Sendable {
    /// Rows whose images belong together.
    struct Cluster: Sendable {
        /// At most as many as are named.
        let rows: [Int]
        let rowCount: Int
        let bits: Int
        let answersConflict: Bool
    }

    /// Largest first, at most as many as are listed.
    let clusters: [Cluster]
    let clusterCount: Int
    /// Images left if each cluster were one.
    let distinctImages: Int
    /// Places that hold an image which another place holds too.
    let exactSlots: Int
    /// Places whose image is nearly, not quite, that of another.
    let nearSlots: Int
    /// Whether a row asks the same about the same picture as one before it.
    let isRepeat: [Bool]

    /// - Parameters:
    ///   - distanceMax: bits in which hashes may differ
    ///   - listMax: clusters listed
    init(_ scan: InspectionScan, distanceMax: Int, listMax: Int) {
        let images = scan.images
        let groups = Self.groups(images, distanceMax: distanceMax)
        var slotsOfImage = [Int32](repeating: 0, count: images.digests.count)
        for image in images.slots { slotsOfImage[Int(image)] += 1 }
        var slotsOfGroup = [Int32](repeating: 0, count: images.digests.count)
        var distinctOfGroup = slotsOfGroup
        for (image, group) in groups.firsts.enumerated() where slotsOfImage[image] > 0 {
            slotsOfGroup[Int(group)] += slotsOfImage[image]
            distinctOfGroup[Int(group)] += 1
        }
        distinctImages = slotsOfGroup.count { $0 > 0 }
        exactSlots = images.slots.count { slotsOfImage[Int($0)] > 1 }
        nearSlots = images.slots.count { distinctOfGroup[Int(groups.firsts[Int($0)])] > 1 }
        isRepeat = Self.repeats(scan, groups.firsts)
        let places = slotsOfGroup.indices.filter { slotsOfGroup[$0] > 1 }
        clusterCount = places.count
        let listed = places.sorted { (slotsOfGroup[$1], $0) < (slotsOfGroup[$0], $1) }
            .prefix(listMax)
        clusters = Self.clusters(Array(listed), groups, scan)
    }

    /// For each image the first one of its cluster, and bits to its nearest neighbour.
    private struct Groups {
        var firsts: [Int32]
        var bits: [UInt8]
    }

    /// Pictures so even that all differences are one sign are joined by their bytes alone, as when
    /// a version is divided.
    private static func groups(_ images: ImageColumns, distanceMax: Int) -> Groups {
        let places = images.hashes.indices.filter { !FreezeScan.isBlank(images.hashes[$0]) }
        let found = DuplicateClusters(
            of: places.map { images.hashes[$0] }, distanceMax: distanceMax)
        var groups = Groups(
            firsts: images.hashes.indices.map { Int32($0) },
            bits: [UInt8](repeating: 0, count: images.hashes.count))
        for (number, place) in places.enumerated() {
            groups.firsts[place] = Int32(places[Int(found.firsts[number])])
            groups.bits[place] = found.nearestBits[number] ?? 0
        }
        return groups
    }

    private static func repeats(_ scan: InspectionScan, _ firsts: [Int32]) -> [Bool] {
        var seen = Set<UInt64>(minimumCapacity: scan.count)
        return (0..<scan.count).map { row in
            let slots = scan.images.slots(of: row)
            guard !slots.isEmpty else { return false }
            let key = slots.reduce(scan.rows.questions[row]) { key, slot in
                Philox.mixed(UInt64(firsts[Int(scan.images.slots[slot])]), seed: key)
            }
            return !seen.insert(key).inserted
        }
    }

    private static func clusters(
        _ listed: [Int], _ groups: Groups, _ scan: InspectionScan
    ) -> [Cluster] {
        var numbers: [Int32: Int] = [:]
        for (number, group) in listed.enumerated() { numbers[Int32(group)] = number }
        // A message holds so many names, whatever their clusters.
        let rowsMax = min(
            Limits.clusterRowsMax, Limits.clusterNamesMax / max(1, listed.count))
        var drafts = [Draft](repeating: Draft(rowsMax: rowsMax), count: listed.count)
        for row in 0..<scan.count {
            for slot in scan.images.slots(of: row) {
                let image = Int(scan.images.slots[slot])
                guard let number = numbers[groups.firsts[image]] else { continue }
                drafts[number].add(
                    row, answer: scan.rows.answers[row], question: scan.rows.questions[row],
                    bits: Int(groups.bits[image]))
            }
        }
        return drafts.map { draft in
            Cluster(
                rows: draft.rows, rowCount: draft.rowCount, bits: draft.bits,
                answersConflict: draft.answersConflict)
        }
    }

    private struct Draft {
        let rowsMax: Int
        var rows: [Int] = []
        var rowCount = 0
        var bits = 0
        var answersConflict = false
        private var last = -1
        /// The first answer to each question.
        private var answers: [UInt64: UInt64] = [:]

        init(rowsMax: Int) { self.rowsMax = rowsMax }

        mutating func add(_ row: Int, answer: UInt64, question: UInt64, bits: Int) {
            self.bits = max(self.bits, bits)
            guard row != last else { return }
            last = row
            rowCount += 1
            if rows.count < rowsMax { rows.append(row) }
            guard answer != 0 else { return }
            if let known = answers[question] {
                if known != answer { answersConflict = true }
            } else {
                answers[question] = answer
            }
        }
    }
}
