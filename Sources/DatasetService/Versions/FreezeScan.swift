import Base
import Digests
import Messages
import Quality
import Resources
import Storage

/// The rows of a dataset at one moment, as compactly as dividing them allows: about 150 bytes a
/// row with one image.
struct FreezeScan: Sendable {
    let dataset: DatasetRecord
    let terms: SplitTerms
    /// In order of row id.
    private(set) var revisions: [Int64] = []
    private(set) var digests: [Digest256] = []
    /// Of each row, as a place in `strata`.
    private(set) var stratumOfRow: [Int32] = []
    private(set) var strata: [String] = []
    private(set) var leftOut: [String: UInt64] = [:]
    private(set) var tags: [String: Int] = [:]
    private(set) var imageBytes: UInt64 = 0

    private var ids: [UInt64] = []
    private var fixed: [SplitPart?] = []
    /// Where the images and groups of each row begin; one more than rows.
    private var imageStarts: [Int32] = [0]
    private var imageKeys: [UInt64] = []
    private var imageHashes: [UInt64] = []
    private var groupStarts: [Int32] = [0]
    private var groups: [(key: UInt8, value: UInt64)] = []
    private var undecided: (count: Int, example: String) = (0, "")
    private var stratumPlaces: [String: Int32] = [:]

    /// Rows chosen.
    var count: Int { revisions.count }

    /// Reads the rows that a request chooses, inside one read of the catalogue.
    init(_ request: FreezeVersionRequest, _ db: Connection) throws {
        dataset = try db.dataset(DatasetName(request.parent, field: "parent"))
        terms = try SplitTerms(request.splitSpec ?? SplitSpec(), dataset.stored)
        let filter = try Filter(request.filter, kind: ExampleFilter.kind)
        let earlier = try Self.earlierParts(terms.spec, dataset, db)
        reserve(filter.isEverything ? dataset.exampleCount : 0)
        var failure: (any Error)?
        let sql = """
            SELECT \(ExampleRecord.columns), revisions.id, row_sha FROM examples
            JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND state <> \(ExampleState.erased.rawValue) ORDER BY row_id
            """
        try db.each(sql, [.integer(dataset.id)]) { row in
            do {
                try take(ExampleRecord(row), row, filter, earlier)
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw failure }
        guard undecided.count == 0 || request.skipUndecided else {
            throw DatasetError.undecided(count: undecided.count, example: undecided.example)
        }
        if undecided.count > 0 { leftOut["undecided"] = UInt64(undecided.count) }
    }

    /// Growing step by step would hold half as much again.
    private mutating func reserve(_ rows: Int) {
        revisions.reserveCapacity(rows)
        digests.reserveCapacity(rows)
        stratumOfRow.reserveCapacity(rows)
        ids.reserveCapacity(rows)
        fixed.reserveCapacity(rows)
        imageStarts.reserveCapacity(rows + 1)
        imageKeys.reserveCapacity(rows)
        imageHashes.reserveCapacity(rows)
        groupStarts.reserveCapacity(rows + 1)
        groups.reserveCapacity(rows * terms.spec.groupKeys.count)
    }

    /// The parts that rows have in the version to grow from, by row.
    private static func earlierParts(
        _ spec: SplitSpec, _ dataset: DatasetRecord, _ db: Connection
    ) throws -> [Int64: SplitPart] {
        guard !spec.extendVersion.isEmpty else { return [:] }
        let name = try VersionName(spec.extendVersion, field: "split_spec.extend_version")
        guard name.dataset == dataset.name.id else {
            throw DatasetError.fieldsConflict(
                "split_spec.extend_version is of another dataset than parent",
                fields: ["parent", "split_spec.extend_version"])
        }
        let version = try db.version(name)
        var parts: [Int64: SplitPart] = [:]
        try db.each(
            """
            SELECT example_id, split FROM version_rows
            JOIN revisions ON revisions.id = revision_id WHERE version_id = ?
            """, [.integer(version.id)]
        ) { row in
            parts[row.int64(0)] = SplitKind(rawValue: Int32(row.int(1))).part
            return true
        }
        return parts
    }

    private mutating func take(
        _ record: ExampleRecord, _ row: Row, _ filter: Filter, _ earlier: [Int64: SplitPart]
    ) throws {
        let message = try record.message(dataset.name)
        guard filter.matches({ ExampleFilter.value($0, of: message) }) else { return }
        if record.gold, !filter.fields.contains("gold") {
            leftOut["gold", default: 0] += 1
            return
        }
        guard record.state == .decided else {
            if undecided.count == 0 { undecided.example = message.name }
            undecided.count += 1
            return
        }
        guard let digest = row.digest(12) else {
            throw StorageError.corrupt(what: "a revision without a digest")
        }
        revisions.append(row.int64(11))
        digests.append(digest)
        ids.append(SplitPlan.hash(record.rowID))
        let stratum = terms.stratum(of: message)
        let place = stratumPlaces[stratum] ?? Int32(strata.count)
        stratumOfRow.append(place)
        if Int(place) == strata.count {
            strata.append(stratum)
            stratumPlaces[stratum] = place
        }
        let source = terms.spec.followSource ? record.sourceSplit.part : nil
        fixed.append(earlier[record.id] ?? source)
        for tag in message.tags { tags[tag, default: 0] += 1 }
        takeLinks(message)
    }

    private mutating func takeLinks(_ message: Example) {
        for image in message.images {
            imageKeys.append(SplitPlan.hash(image.imageSha256, salt: 1))
            imageHashes.append(image.perceptualHash)
            imageBytes += image.sizeBytes
        }
        imageStarts.append(Int32(imageKeys.count))
        for (number, key) in terms.spec.groupKeys.enumerated() {
            guard let value = message.groupValues[key], !value.isEmpty else { continue }
            groups.append((UInt8(number), SplitPlan.hash("\(key)\0\(value)", salt: 3)))
        }
        groupStarts.append(Int32(groups.count))
    }
}

/// Dividing what was read.
extension FreezeScan {
    /// The parts of the rows, and the proof that nothing is on two sides.
    struct Division: Sendable {
        let parts: [SplitPart]
        let certificate: Messages.LeakageCertificate
        let spreads: [SplitSpread]
    }

    func divided() throws -> Division {
        let clusters = clusters()
        var plan = SplitPlan(seed: terms.spec.seed)
        plan.reserve(rows: count, links: imageKeys.count + groups.count / 4)
        for row in 0..<count {
            let contents = contents(of: row, clusters)
            let links = contents.images + contents.clusters + contents.groups.map(\.value)
            let stratum = strata[Int(stratumOfRow[row])]
            plan.add(id: ids[row], stratum: stratum, links: links, part: fixed[row])
        }
        let shares = terms.shares(rows: count)
        let parts: [SplitPart]
        do throws(SplitError) {
            parts = try plan.divided(shares)
        } catch {
            throw DatasetError.leaks(error.message)
        }
        var check = LeakageCheck()
        check.reserve(images: imageKeys.count)
        for row in 0..<count { check.add(parts[row], contents(of: row, clusters)) }
        let found = check.certificate()
        let certificate = certificate(found, parts)
        guard found.isClean else {
            throw DatasetError.leaks("rows that belong together would be in two splits")
        }
        return Division(
            parts: parts, certificate: certificate,
            spreads: SplitSpread.measure(
                parts, strata: stratumOfRow.map { strata[Int($0)] }, shares: shares))
    }

    /// For each image the place of the first one of its cluster; nil where it is alone. Pictures
    /// so even that all differences are one sign say nothing, and are joined by their bytes alone.
    private func clusters() -> [Int32?] {
        let places = imageHashes.indices.filter { !Self.isBlank(imageHashes[$0]) }
        let found = DuplicateClusters(
            of: places.map { imageHashes[$0] }, distanceMax: Int(terms.spec.hashDistanceMax ?? 0))
        var result = [Int32?](repeating: nil, count: imageHashes.count)
        for (number, place) in places.enumerated() where found.nearestBits[number] != nil {
            result[place] = found.firsts[number]
        }
        return result
    }

    /// Whether all differences of a picture are of one sign.
    static func isBlank(_ hash: UInt64) -> Bool { hash == 0 || hash == .max }

    private func contents(of row: Int, _ clusters: [Int32?]) -> LeakageCheck.Contents {
        let images = Int(imageStarts[row])..<Int(imageStarts[row + 1])
        let values = Int(groupStarts[row])..<Int(groupStarts[row + 1])
        return LeakageCheck.Contents(
            images: images.map { imageKeys[$0] },
            clusters: images.compactMap { place in
                clusters[place].map { Philox.mixed(UInt64($0), seed: 2) }
            },
            groups: groups[values].map { (terms.spec.groupKeys[Int($0.key)], $0.value) })
    }

    private func certificate(
        _ found: Quality.LeakageCertificate, _ parts: [SplitPart]
    ) -> Messages.LeakageCertificate {
        var certificate = Messages.LeakageCertificate()
        certificate.sharedImageCount = UInt64(found.sharedImages)
        certificate.sharedClusterCount = UInt64(found.sharedClusters)
        certificate.sharedGroupCount = UInt64(found.sharedGroups)
        certificate.hashDistanceBits = terms.spec.hashDistanceMax ?? 0
        certificate.clusterCount = UInt64(found.clusters)
        certificate.groupCounts = found.groups.map { NamedCount($0.key, UInt64($0.values)) }
        certificate.imageCount = UInt64(found.images)
        certificate.nearestDistanceBits = UInt32(nearest(parts))
        return certificate
    }

    /// Looked for up to a few bits beyond the distance of clusters; 64 where there is none.
    private func nearest(_ parts: [SplitPart]) -> Int {
        var hashes: [UInt64] = []
        var labels: [UInt8] = []
        hashes.reserveCapacity(imageHashes.count)
        labels.reserveCapacity(imageHashes.count)
        for row in 0..<count {
            for place in Int(imageStarts[row])..<Int(imageStarts[row + 1])
            where !Self.isBlank(imageHashes[place]) {
                hashes.append(imageHashes[place])
                labels.append(parts[row].rawValue)
            }
        }
        // What is nearer is in one cluster, and so in one split.
        let start = Int(terms.spec.hashDistanceMax ?? 0) + 1
        guard start <= DuplicateClusters.distanceLimit else { return 64 }
        // Each bit more costs as much as all before it.
        return DuplicateClusters.nearestAcross(
            hashes, labels: labels, from: start, to: start + 1) ?? 64
    }
}
