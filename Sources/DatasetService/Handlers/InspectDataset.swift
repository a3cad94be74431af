import Base
import Digests
import Messages
import Quality
import RPC
import Resources
import Storage

/// `InspectDataset`: reads rows, measures images that were not measured before, and reports. None
/// of it runs on a loop of the RPC layer.
struct InspectDataset: Sendable {
    /// Images on a page, and pixels of the longer side of each.
    private static let thumbnailsMax = 1_000
    private static let thumbnailSide = 96

    let catalogue: Catalogue
    let inspector = Inspector()

    func callAsFunction(
        _ request: InspectDatasetRequest, _ context: CallContext
    ) async throws -> InspectDatasetResponse {
        let terms = try InspectionTerms(request)
        if terms.filter.fields.contains("gold"), !context.principal.may(.trainer) {
            throw DatasetError.forbidden(what: "the filter field gold", role: "trainer")
        }
        let now = catalogue.clock()
        let (scan, votes) = try await catalogue.scanner.read { db in
            let scan = try InspectionScan(terms, db, now: now)
            guard terms.wants(.labelErrors) else { return (scan, [RowVote]()) }
            let max = Limits.inspectedVotesMax
            return (scan, try db.countedVotes(of: scan.dataset, max: max))
        }
        let measures =
            terms.wants(.imageQuality) ? try await catalogue.measures(scan.images.digests) : []
        let draft = await inspector.draft(scan, measures, votes, terms)
        let names = try await names(draft)
        var report = draft.message(names)
        if terms.wantsPage {
            let thumbnails = try await thumbnails(report)
            report.html = await inspector.page(report, thumbnails)
        }
        return report
    }

    private func names(_ draft: InspectionDraft) async throws -> [Int64: String] {
        let keys = draft.namedExamples
        let dataset = draft.terms.dataset
        return try await catalogue.reader.read { db in
            var names: [Int64: String] = [:]
            for key in keys {
                let rowID = try db.first(
                    "SELECT row_id FROM examples WHERE id = ?", .integer(key)
                ) { $0.text(0) }
                guard let rowID else { continue }
                names[key] = ExampleName(dataset: dataset.id, rowID: rowID).description
            }
            return names
        }
    }

    /// Small pictures of what a page shows, by "NAME#INDEX"; none of rows erased meanwhile.
    private func thumbnails(_ report: InspectDatasetResponse) async throws -> [String: Bytes] {
        let wanted = InspectionPage.pictures(report).prefix(Self.thumbnailsMax)
        var thumbnails: [String: Bytes] = [:]
        for key in wanted {
            try Task.checkCancellation()
            let parts = key.split(separator: "#")
            guard let index = parts.last.flatMap({ Int($0) }), let text = parts.first else {
                continue
            }
            let name = try ExampleName(String(text), field: "example")
            let digest = try await catalogue.reader.read { db -> Digest256? in
                guard let (dataset, row) = try db.example(name), row.payload != nil else {
                    return nil
                }
                let images = try row.message(dataset.name).images
                return images.indices.contains(index)
                    ? Digest256(hex: images[index].imageSha256) : nil
            }
            guard let digest else { continue }
            thumbnails[key] = try await catalogue.nextPictureReader().thumbnail(
                digest, side: Self.thumbnailSide)
        }
        return thumbnails
    }
}

extension PictureReader {
    /// A JPEG of an image; nil if the image is gone.
    fileprivate func thumbnail(_ digest: Digest256, side: Int) throws -> Bytes? {
        guard contains(digest) else { return nil }
        return try contents([digest.hex], side: side).first
    }
}
