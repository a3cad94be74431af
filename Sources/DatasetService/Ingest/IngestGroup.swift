import Base
import Digests
import Messages
import Resources

/// An image of a row as it came: its bytes, or the name of one that is there.
enum ArrivedImage: Sendable {
    /// With its digest once that is known.
    case content(Bytes, Digest256?)
    case known(Digest256)
    case uploaded(Result<Picture, Rejection>)
    case refused(Rejection)
}

/// A row as it came.
struct ArrivedRow: Sendable {
    let index: UInt64
    var row: IngestRow
    var images: [ArrivedImage]

    /// The digests of images that came with it.
    var uploads: [Digest256] {
        images.compactMap { image in
            if case .content(_, let digest) = image { digest } else { nil }
        }
    }
}

/// A row that was looked at: fit to be stored, or not.
struct PreparedRow: Sendable {
    let index: UInt64
    let number: UInt64
    let rowID: String
    var problems: [Problem]
    let pictures: [Picture]
    /// All of the row that is stored, encoded; with the row id but without what the server gives.
    let payload: Bytes
    /// Of what training sees.
    let contentDigest: Digest256
    let votes: [ImportedVote]
    let gold: Bool
    let sourceSplit: SplitKind
    let hasAnswer: Bool
}

/// Looks at rows on a thread of its own: decodes their images, checks their words.
actor IngestWorker {
    private let executor = ThreadExecutor(named: "ingest")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Rows with the digests of the images that came with them.
    func digested(_ rows: ArraySlice<ArrivedRow>) -> [ArrivedRow] {
        rows.map { row in
            var row = row
            for index in row.images.indices {
                guard case .content(let bytes, nil) = row.images[index] else { continue }
                row.images[index] = .content(bytes, bytes.sha256)
            }
            return row
        }
    }

    /// One image.
    func picture(
        _ bytes: Bytes, _ upload: Digest256, _ limits: Messages.ImageLimits
    ) throws(Rejection) -> Picture {
        try Picture(bytes, upload: upload, limits: limits)
    }

    /// Rows, one after another.
    ///
    /// - Parameter known: images that are there, by the digest of their uploads
    func prepare(
        _ rows: ArraySlice<ArrivedRow>, _ session: IngestTerms, known: [Digest256: Picture]
    ) -> [PreparedRow] {
        rows.map { prepare($0, session, known) }
    }

    private func prepare(
        _ arrived: ArrivedRow, _ terms: IngestTerms, _ known: [Digest256: Picture]
    ) -> PreparedRow {
        var problems: [Problem] = []
        var pictures: [Picture?] = []
        for (index, image) in arrived.images.enumerated() {
            do throws(Rejection) {
                pictures.append(try picture(image, terms.limits, known))
            } catch {
                pictures.append(nil)
                problems.append(error.at("images[\(index)]").problem)
            }
        }
        if arrived.images.count > terms.limits.imagesMax {
            problems.append(
                Rejection(
                    .tooManyImages, field: "images", seen: "\(arrived.images.count)",
                    allowed: "\(terms.limits.imagesMax)", "there are too many images"
                ).problem)
        }
        let row = arrived.row
        let turns = terms.rules.completed(row.turns, imageCount: arrived.images.count)
        problems += terms.rules.problems(
            row, turns: turns, sizes: pictures.map { $0.map { ($0.width, $0.height) } })
        return prepared(arrived, turns, pictures.compactMap { $0 }, problems, terms)
    }

    private func picture(
        _ image: ArrivedImage, _ limits: Messages.ImageLimits, _ known: [Digest256: Picture]
    ) throws(Rejection) -> Picture {
        switch image {
        case .content(let bytes, let digest):
            let digest = digest ?? bytes.sha256
            guard let found = known[digest] else {
                return try Picture(bytes, upload: digest, limits: limits)
            }
            try Picture.checkSides(found.width, found.height, limits)
            return found
        case .known(let digest):
            guard let found = known[digest] else {
                throw Rejection(
                    .imageNotFound, seen: digest.hex, allowed: "an image of this dataset",
                    "there is no such image; send its content")
            }
            return found
        case .uploaded(let result): return try result.get()
        case .refused(let rejection): throw rejection
        }
    }

    private func prepared(
        _ arrived: ArrivedRow, _ turns: [Turn], _ pictures: [Picture], _ problems: [Problem],
        _ terms: IngestTerms
    ) -> PreparedRow {
        let row = arrived.row
        var stored = Example()
        stored.images = zip(pictures, row.images).map { $0.message(name: $1.displayName) }
        stored.turns = turns
        stored.regions = row.regions
        stored.tags = Set(row.tags + terms.header.tags).sorted()
        stored.groupValues = row.groupValues
        stored.attributes = row.attributes
        stored.rights = row.rights ?? terms.header.defaultRights
        stored.passthroughJSON = row.passthroughJSON
        let content = stored.contentDigest
        stored.contentSha256 = content.hex
        stored.rowID = row.rowID.isEmpty ? "row-" + content.hex.prefix(32) : row.rowID
        // Everything here has a form on the wire: it came from there.
        let payload = (try? stored.encoded()) ?? Bytes()
        return PreparedRow(
            index: arrived.index, number: row.rowNumber == 0 ? arrived.index + 1 : row.rowNumber,
            rowID: stored.rowID, problems: problems, pictures: pictures, payload: payload,
            contentDigest: content, votes: row.votes, gold: row.gold,
            sourceSplit: row.sourceSplit, hasAnswer: turns.last?.role == .assistant)
    }
}

/// What holds for all rows of an upload.
struct IngestTerms: Sendable {
    let header: IngestHeader
    let dataset: DatasetRecord
    let rules: RowRules
    let limits: Messages.ImageLimits

    init(_ header: IngestHeader, _ dataset: DatasetRecord) {
        (self.header, self.dataset) = (header, dataset)
        rules = RowRules(dataset.stored)
        limits = dataset.stored.imageLimits ?? Messages.ImageLimits()
    }
}

extension Bytes {
    /// Their digest.
    var sha256: Digest256 { withUnsafeBytes { SHA256.digest($0) } }
}

extension Picture {
    /// As rows have it.
    func message(name: String) -> StoredImage {
        var message = StoredImage()
        message.imageSha256 = digest.hex
        message.uploadSha256 = upload.hex
        message.widthPixels = UInt32(width)
        message.heightPixels = UInt32(height)
        message.mediaType = media
        message.sizeBytes = UInt64(size)
        message.perceptualHash = hash
        message.displayName = name
        return message
    }
}

extension Example {
    /// SHA-256 over everything that training sees: images by digest, turns, regions.
    var contentDigest: Digest256 {
        var seen = Example()
        seen.images = images.map { image in
            var only = StoredImage()
            only.imageSha256 = image.imageSha256
            return only
        }
        seen.turns = turns
        seen.regions = regions
        return ((try? seen.encoded()) ?? Bytes()).sha256
    }

    /// The answer; empty where there is none yet.
    var answer: String {
        guard let last = turns.last, last.role == .assistant else { return "" }
        return last.plainText
    }
}
