import Base
import Digests
import Images
import Messages
import Quality
import Resources
import Storage

extension Catalogue {
    /// `PreviewAugmentation`.
    func preview(
        _ request: PreviewAugmentationRequest
    ) async throws -> PreviewAugmentationResponse {
        let plan = try PreviewPlan(request)
        let (rows, policy) = try await scanner.read { db in
            let dataset = try db.dataset(plan.dataset)
            let rows = try plan.rows(of: dataset, db)
            guard !rows.isEmpty else {
                throw DatasetError.badState(
                    name: "\(plan.dataset)", why: "it has no row with an image to show")
            }
            return (rows, try plan.policy(of: dataset, db))
        }
        let sheet = try ContactSheet(
            side: plan.side, columns: plan.variants + 1, rows: rows.count)
        let lines = try await lines(rows, plan, policy, sheet)
        let png = try await nextPictureReader().sheet(sheet, lines.map(\.strip))
        guard png.count <= Limits.reportBytesMax else {
            throw DatasetError.tooLarge(
                what: "the sheet; ask for fewer rows or smaller cells. It", bytes: png.count,
                bytesMax: Limits.reportBytesMax)
        }
        return .with {
            ($0.contactSheetPng, $0.variants) = (png, lines.flatMap(\.variants))
        }
    }

    /// Rows of the sheet, made on all threads that read images.
    private func lines(
        _ rows: [PreviewRow], _ plan: PreviewPlan, _ policy: Quality.AugmentationPolicy,
        _ sheet: ContactSheet
    ) async throws -> [PreviewLine] {
        try await withThrowingTaskGroup(of: (Int, PreviewLine).self) { group in
            for (number, row) in rows.enumerated() {
                let reader = nextPictureReader()
                group.addTask { (number, try await reader.line(row, plan, policy, sheet)) }
            }
            var lines = [PreviewLine?](repeating: nil, count: rows.count)
            for try await (number, line) in group { lines[number] = line }
            return lines.compactMap { $0 }
        }
    }
}

/// A row to show: its first image.
struct PreviewRow: Sendable {
    let name: ExampleName
    let image: String
}

/// One line of a sheet.
struct PreviewLine: Sendable {
    let strip: RGBImage
    let variants: [VariantRecord]
}

/// What a preview asks for, with the standard values filled in.
struct PreviewPlan: Sendable {
    let dataset: DatasetName
    let variants: Int
    let side: Int
    let seed: UInt64
    let epochs: Range<UInt32>
    private let request: PreviewAugmentationRequest
    private let wanted: Int

    /// Rows drawn for each one shown, since some may have no image.
    private static let drawsMax = 4

    init(_ request: PreviewAugmentationRequest) throws(DatasetError) {
        self.request = request
        dataset = try DatasetName(request.dataset, field: "dataset")
        wanted = try Self.number("row_count", request.rowCount, 1...20, standard: 6)
        variants = try Self.number("variant_count", request.variantCount, 1...10, standard: 5)
        side = try Self.number("cell_side_pixels", request.cellSidePixels, 64...512, standard: 192)
        guard request.examples.count <= 20 else {
            throw .invalid(
                field: "examples", seen: "\(request.examples.count) rows",
                allowed: "20 or fewer are allowed")
        }
        seed = request.seed
        let (end, overflows) = request.epoch.addingReportingOverflow(UInt32(variants))
        guard !overflows else {
            throw .invalid(
                field: "epoch", seen: "\(request.epoch)",
                allowed: "an epoch so small that epoch + variant_count fits 32 bits")
        }
        epochs = request.epoch..<end
    }

    private static func number(
        _ field: String, _ value: UInt32, _ allowed: ClosedRange<Int>, standard: Int
    ) throws(DatasetError) -> Int {
        let value = value == 0 ? standard : Int(value)
        guard allowed.contains(value) else {
            throw .invalid(
                field: field, seen: "\(value)",
                allowed: "0, or \(allowed.lowerBound) to \(allowed.upperBound) is allowed")
        }
        return value
    }

    /// The policy to try, or the one in force.
    func policy(
        of dataset: DatasetRecord, _ db: Connection
    ) throws -> Quality.AugmentationPolicy {
        if let asked = request.policy {
            return try PolicyTerms(
                asked, domain: dataset.stored.domain,
                answersNameColors: try ColorWords.areNamed(in: dataset, db)
            ).policy
        }
        guard let stored = dataset.stored.augmentationPolicy else {
            throw DatasetError.badState(
                name: "\(dataset.name)",
                why: "it has no augmentation policy; set one, or send one to try")
        }
        return try Quality.AugmentationPolicy(stored)
    }

    /// The rows named, or some drawn by the seed.
    func rows(of dataset: DatasetRecord, _ db: Connection) throws -> [PreviewRow] {
        guard request.examples.isEmpty else {
            return try request.examples.enumerated().map { index, text in
                try named(text, "examples[\(index)]", db)
            }
        }
        let key = SQLValue.integer(dataset.id)
        let count = try db.first("SELECT count(*) FROM examples WHERE dataset_id = ?", key) {
            $0.int(0)
        }
        guard let count, count > 0 else { return [] }
        let order = SeededOrder(count: count, seed: seed, epoch: 0)
        var rows: [PreviewRow] = []
        for place in 0..<min(count, Self.drawsMax * wanted) where rows.count < wanted {
            let record = try db.first(
                """
                SELECT \(ExampleRecord.columns) FROM examples
                JOIN revisions ON revisions.id = revision_id
                WHERE dataset_id = ? ORDER BY row_id LIMIT 1 OFFSET ?
                """, key, SQLValue(order[place])
            ) { ExampleRecord($0) }
            guard let record, let image = try record.message(dataset.name).images.first else {
                continue
            }
            rows.append(
                PreviewRow(
                    name: ExampleName(dataset: dataset.name.id, rowID: record.rowID),
                    image: image.imageSha256))
        }
        return rows
    }

    private func named(_ text: String, _ field: String, _ db: Connection) throws -> PreviewRow {
        let name = try ExampleName(text, field: field)
        guard name.dataset == dataset.id else {
            throw DatasetError.fieldsConflict(
                "\(field) is of another dataset", fields: ["dataset", field])
        }
        guard let (dataset, row) = try db.example(name) else {
            throw DatasetError.notFound(type: "fovea.dataset.v1.Example", name: "\(name)")
        }
        guard row.payload != nil else { throw DatasetError.erased(name: "\(name)") }
        guard let image = try row.message(dataset.name).images.first else {
            throw DatasetError.badState(name: "\(name)", why: "the row has no image")
        }
        return PreviewRow(name: name, image: image.imageSha256)
    }
}

extension PictureReader {
    /// A row's first image and its variants in the epochs of a plan.
    fileprivate func line(
        _ row: PreviewRow, _ plan: PreviewPlan, _ policy: Quality.AugmentationPolicy,
        _ sheet: ContactSheet
    ) throws -> PreviewLine {
        let treatment = Treatment(side: 0, policy: policy, seed: plan.seed)
        guard let bytes = try contents([row.image], side: 0).first else {
            throw StorageError.blobMissing(row.image)
        }
        var pictures = [try Self.shrunk(bytes, side: plan.side).image]
        var variants: [VariantRecord] = []
        for epoch in plan.epochs {
            try Task.checkCancellation()
            let changes = treatment.changes(row.name.rowID, epoch: epoch)
            let variant = try Variant(of: bytes, changes, limits: Self.limits)
            pictures.append(try variant.image.limited(to: plan.side))
            variants.append(
                .with {
                    ($0.example, $0.epoch) = (row.name.description, epoch)
                    $0.appliedSteps = changes.map(\.description)
                })
        }
        return PreviewLine(strip: try sheet.strip(pictures), variants: variants)
    }

    /// The sheet of these lines.
    fileprivate func sheet(_ sheet: ContactSheet, _ strips: [RGBImage]) throws -> Bytes {
        try sheet.png(strips)
    }
}
