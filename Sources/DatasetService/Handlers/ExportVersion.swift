import Base
import Digests
import Foundation
import Messages
import RPC
import Resources
import Storage

/// `ExportVersion`: the file of rows first, then the images, each once.
struct ExportVersion: Sendable {
    private static let rowsPerRead = 64

    private let request: ExportVersionRequest
    private let reader: VersionReader
    private let splits: [SplitKind]

    init(_ request: ExportVersionRequest, _ catalogue: Catalogue) async throws {
        guard request.format != .unspecified, request.format.isKnown else {
            throw DatasetError.required(field: "format")
        }
        let name = try VersionName(request.name, field: "name")
        let version = try await catalogue.reader.read { db in try db.version(name) }
        self.request = request
        reader = VersionReader(catalogue, version)
        let asked = request.splits.isEmpty ? [.train, .validation, .test] : request.splits
        splits = version.stored.splits.map(\.split).filter { asked.contains($0) }
    }

    func run(to responses: ResponseWriter<ExportVersionResponse>) async throws {
        var plan = ExportPlan(format: request.format)
        let (losses, images) = try await survey(&plan)
        if request.requireLossless, let worst = losses.max(by: { $0.value < $1.value }) {
            throw DatasetError.fieldsConflict(
                "\(request.format.plainName) cannot hold \(worst.key) of \(worst.value) rows; use"
                    + " FOVEA, or unset require_lossless", fields: ["format", "require_lossless"])
        }
        var files = FileStream(responses: responses, skips: request.skipFileCount)
        var rowCount: UInt64 = 0
        if let name = plan.fileName {
            rowCount = try await writeRows(plan, named: name, &files)
        }
        if !request.omitImages, !plan.holdsImages {
            for (path, image) in images {
                try await files.write(
                    path, image.mediaType, content: await reader.content(of: image.imageSha256))
            }
        }
        if plan.fileName == nil { rowCount = UInt64(images.count) }
        var summary = ExportSummary()
        (summary.fileCount, summary.sizeBytes) = (files.count, files.bytes)
        summary.exampleCount = rowCount
        summary.losses = losses.sorted { $0.key < $1.key }.map { NamedCount($0.key, $0.value) }
        try await responses.write(.with { $0.part = .summary(summary) })
    }

    /// Calls `body` with every row that was not erased.
    private func forEachRow(
        _ body: (SplitKind, FrozenRow, Example) async throws -> Void
    ) async throws {
        for split in splits {
            let count = reader.count(of: split)
            for start in stride(from: 0, to: count, by: Self.rowsPerRead) {
                let positions = Array(start..<min(start + Self.rowsPerRead, count))
                for row in try await reader.rows(at: positions, of: split) {
                    guard var example = row.example else { continue }
                    example.rowID = row.rowID
                    try await body(split, row, example)
                }
            }
        }
    }

    /// Reads all rows once: what the format cannot hold, which columns there are, which images.
    private func survey(
        _ plan: inout ExportPlan
    ) async throws -> (losses: [String: UInt64], images: [(String, StoredImage)]) {
        var losses: [String: UInt64] = [:]
        var images: [(String, StoredImage)] = []
        var seen = Set<String>()
        var attributes = Set<String>()
        var groupKeys = Set<String>()
        let plain = plan
        try await forEachRow { split, _, example in
            let row = ExportRow(example: example, split: split, images: [])
            for loss in row.losses(request.format) { losses[loss, default: 0] += 1 }
            attributes.formUnion(example.attributes.keys)
            groupKeys.formUnion(example.groupValues.keys)
            for image in example.images {
                let path = Self.path(of: image, example, split, plain)
                if seen.insert(path).inserted { images.append((path, image)) }
            }
        }
        (plan.attributes, plan.groupKeys) = (attributes.sorted(), groupKeys.sorted())
        return (losses, images)
    }

    /// Images lie under their digests; in class folders under their class.
    private static func path(
        of image: StoredImage, _ example: Example, _ split: SplitKind, _ plan: ExportPlan
    ) -> String {
        let ending = image.mediaType.split(separator: "/").last.map(String.init) ?? "bin"
        let name = "\(image.imageSha256.prefix(32)).\(ending == "jpeg" ? "jpg" : ending)"
        guard plan.format == .classFolders else { return "images/\(name)" }
        let safe = example.answer.map { letter in
            letter.isLetter || letter.isNumber || "-_ ".contains(letter) ? letter : "_"
        }
        return "\(split.plainName.lowercased())/\(String(safe).prefix(100))/\(name)"
    }

    private func writeRows(
        _ plan: ExportPlan, named name: String, _ files: inout FileStream
    ) async throws -> UInt64 {
        var count: UInt64 = 0
        var text = TextFile(name: name, mediaType: plan.mediaType)
        try await files.append(plan.opening, to: &text)
        try await forEachRow { split, row, example in
            var images: [String] = []
            for image in example.images {
                if plan.holdsImages, !request.omitImages {
                    let content = try await reader.content(of: image.imageSha256)
                    let base64 = content.withUnsafeBytes { Data($0).base64EncodedString() }
                    let isURL = plan.format == .openai
                    images.append(isURL ? "data:\(image.mediaType);base64,\(base64)" : base64)
                } else {
                    images.append(Self.path(of: image, example, split, plan))
                }
            }
            let line = plan.text(
                ExportRow(example: example, split: split, images: images), isFirst: count == 0)
            try await files.append(line, to: &text)
            count += 1
        }
        try await files.append(plan.closing, to: &text)
        try await files.end(&text)
        return count
    }
}

extension VersionReader {
    /// The bytes of one image.
    func content(of hex: String) async throws -> Bytes {
        let found = try await images.contents([hex], side: 0)
        guard let bytes = found.first else { throw StorageError.blobMissing(hex) }
        return bytes
    }
}

/// A file that is written as it is sent.
private struct TextFile {
    let name: String
    let mediaType: String
    var hasBegun = false
    var waiting: [UInt8] = []
    var offset: UInt64 = 0
    /// Digests of pieces cannot be joined, so the digest goes along.
    var hash = RunningDigest()

    init(name: String, mediaType: String) { (self.name, self.mediaType) = (name, mediaType) }
}

/// A digest that can be kept in a structure that is copied.
private final class RunningDigest {
    private var hash = SHA256()

    func update(_ bytes: Bytes) { bytes.withUnsafeBytes { hash.update($0) } }

    func finish() -> String {
        var finished = SHA256()
        swap(&finished, &hash)
        return finished.finish().hex
    }
}

/// Sends files as headers, chunks and trailers, leaving out the first so many.
private struct FileStream {
    let responses: ResponseWriter<ExportVersionResponse>
    let skips: UInt64
    private(set) var count: UInt64 = 0
    private(set) var bytes: UInt64 = 0

    init(responses: ResponseWriter<ExportVersionResponse>, skips: UInt64) {
        (self.responses, self.skips) = (responses, skips)
    }

    /// A whole file.
    mutating func write(
        _ path: String, _ media: String, content read: @autoclosure () async throws -> Bytes
    ) async throws {
        count += 1
        guard count > skips else { return }
        let content = try await read()
        try await send(
            .header(
                .with {
                    ($0.path, $0.mediaType) = (path, media)
                    $0.sizeBytes = UInt64(content.count)
                    $0.contentSha256 = content.sha256.hex
                }))
        try await chunks(content, at: 0)
        try await send(
            .trailer(
                .with {
                    $0.sizeBytes = UInt64(content.count)
                    $0.contentSha256 = content.sha256.hex
                }))
        bytes += UInt64(content.count)
    }

    /// Adds to a file that is not known in full.
    func append(_ text: String, to file: inout TextFile) async throws {
        guard count >= skips else { return }
        if !file.hasBegun {
            file.hasBegun = true
            try await send(
                .header(.with { ($0.path, $0.mediaType) = (file.name, file.mediaType) }))
        }
        file.waiting += text.utf8
        if file.waiting.count >= Limits.chunkBytes { try await flush(&file) }
    }

    mutating func end(_ file: inout TextFile) async throws {
        count += 1
        guard count > skips else { return }
        try await flush(&file)
        let size = file.offset
        let digest = file.hash.finish()
        try await send(
            .trailer(.with { ($0.sizeBytes, $0.contentSha256) = (size, digest) }))
        bytes += size
    }

    private func flush(_ file: inout TextFile) async throws {
        let content = Bytes(file.waiting)
        file.waiting = []
        file.hash.update(content)
        try await chunks(content, at: file.offset)
        file.offset += UInt64(content.count)
    }

    private func chunks(_ content: Bytes, at offset: UInt64) async throws {
        for start in stride(from: 0, to: content.count, by: Limits.chunkBytes) {
            let piece = content.slice(start..<min(start + Limits.chunkBytes, content.count))
            try await send(
                .chunk(.with { ($0.offsetBytes, $0.content) = (offset + UInt64(start), piece) }))
        }
    }

    private func send(_ part: ExportVersionResponse.Part) async throws {
        try await responses.write(.with { $0.part = part })
    }
}
