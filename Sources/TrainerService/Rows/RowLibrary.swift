import Base
import Foundation
import Images
import Messages
import RPC
import Resources
import Training

/// Rows of versions on this disk, fetched from the dataset service once and kept for the jobs that
/// follow, up to a number of bytes.
struct RowLibrary: Sendable {
    let datasets: DatasetClient
    private let folder: String
    private let bytesMax: Int

    /// - Parameters:
    ///   - folder: of the cache, made when it is needed
    ///   - bytesMax: rows beyond it are kept without images, which are then fetched each time
    init(_ datasets: DatasetClient, folder: String, bytesMax: Int) {
        (self.datasets, self.folder, self.bytesMax) = (datasets, folder, bytesMax)
    }

    /// What the version's augmentation policy draws from.
    struct Draw: Sendable, Hashable {
        let seed: UInt64
        let epoch: Int
    }

    /// Where the rows of a split are kept. Rows that were erased since are another set of rows.
    private func path(
        of split: SplitKind, _ version: DatasetVersion, _ draw: Draw?
    ) -> String {
        let drawn = draw.map { "-seed-\($0.seed)-epoch-\($0.epoch)" } ?? ""
        let name = "\(split.plainName.lowercased())-\(version.erasedCount)-\(bytesMax)\(drawn)"
        return "\(folder)/\(version.contentSha256)/\(name).rows"
    }

    /// The rows of a split where they are kept already.
    ///
    /// - Parameter draw: for rows as the policy changed them; nil for rows as they are
    func kept(
        _ split: SplitKind, of version: DatasetVersion, drawn draw: Draw? = nil
    ) throws -> RowPack? {
        try RowPack(path(of: split, version, draw))
    }

    /// Removes rows that nobody reads again; whoever has them open still can.
    func remove(_ split: SplitKind, of version: DatasetVersion, drawn draw: Draw) {
        try? FileManager.default.removeItem(atPath: path(of: split, version, draw))
    }

    /// Fetches the rows of a split.
    ///
    /// - Parameters:
    ///   - draw: for rows as the policy changes them; nil for rows as they are
    ///   - onRow: called after each row; what it throws ends the call
    func fetch(
        _ split: SplitKind, of version: DatasetVersion, drawn draw: Draw? = nil,
        onRow: (Int) throws -> Void
    ) async throws {
        let path = path(of: split, version, draw)
        try makeRoom(for: version)
        var request = StreamExamplesRequest(version, split, draw)
        request.includeAttributes = true
        let stream = try await datasets.rows(request)
        defer { stream.cancel() }
        var writer = try RowPackWriter(path)
        var (count, expected) = (0, UInt64.max)
        while let response = try await datasets.next(stream) {
            switch response.part {
            case .epochStart(let start)?: expected = start.rowCount
            case .example(let row)?:
                let keepsImages = writer.byteCount < bytesMax
                try writer.append(try Self.packed(response, row, keepsImages: keepsImages))
                count += 1
                try onRow(count)
            case nil: break
            }
        }
        guard UInt64(count) == expected else {
            throw TrainerError.datasetsUnavailable(
                why: "the stream of rows ended after \(count) of \(expected)")
        }
        try writer.finish()
    }

    /// A row with its images, fetched where the cache has no room for them.
    func whole(
        _ pack: RowPack, _ index: Int, of split: SplitKind, _ version: DatasetVersion
    ) async throws -> StreamedExample {
        guard case .example(let row)? = try pack.row(index).part else {
            throw RowPackError.damaged(row: index)
        }
        guard row.images.contains(where: \.content.isEmpty) else { return row }
        return try await single(
            after: index > 0 ? try pack.row(index - 1).cursor : nil, of: split, version, drawn: nil)
    }

    /// One row from the dataset service.
    ///
    /// - Parameter cursor: of the row before it; nil for the first row
    func single(
        after cursor: Bytes?, of split: SplitKind, _ version: DatasetVersion, drawn draw: Draw?
    ) async throws -> StreamedExample {
        var request = StreamExamplesRequest(version, split, draw)
        request.rowCountMax = 1
        if let cursor { request.cursor = cursor }
        let stream = try await datasets.rows(request)
        defer { stream.cancel() }
        while let response = try await datasets.next(stream) {
            if case .example(let row)? = response.part { return row }
        }
        throw TrainerError.datasetsUnavailable(why: "the stream ended without the row")
    }

    /// The row with upright sizes of its images, which the model sees.
    private static func packed(
        _ response: StreamExamplesResponse, _ row: StreamedExample, keepsImages: Bool
    ) throws -> StreamExamplesResponse {
        var (response, row) = (response, row)
        for index in row.images.indices {
            do {
                let size = ImageSize(
                    uprightOf: try ImageHeader(reading: row.images[index].content))
                row.images[index].widthPixels = UInt32(clamping: size.width)
                row.images[index].heightPixels = UInt32(clamping: size.height)
            } catch {
                throw TrainerError.rowUnusable(
                    row: row.example, why: "image \(index + 1): \(error.message)")
            }
            if !keepsImages { row.images[index].content = Bytes() }
        }
        response.part = .example(row)
        return response
    }

    /// Makes the folder of a version, and removes versions that were used longest ago while there
    /// are more bytes than allowed.
    private func makeRoom(for version: DatasetVersion) throws {
        let files = FileManager.default
        let own = "\(folder)/\(version.contentSha256)"
        do {
            try files.createDirectory(atPath: own, withIntermediateDirectories: true)
        } catch {
            throw RowPackError.unwritable(SystemError.last)
        }
        let others = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        var found = others.filter { $0 != version.contentSha256 }.map { name in
            let path = "\(folder)/\(name)"
            let used = try? files.attributesOfItem(atPath: path)[.modificationDate] as? Date
            return (path: path, used: used ?? .distantPast, bytes: Self.bytes(in: path))
        }
        found.sort { $0.used > $1.used }
        var total = Self.bytes(in: own)
        for item in found {
            total += item.bytes
            // An open pack stays readable when its name is gone.
            if total > bytesMax { try? files.removeItem(atPath: item.path) }
        }
    }

    private static func bytes(in folder: String) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(0) { sum, name in
            let size = try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size]
            return sum + ((size as? NSNumber)?.intValue ?? 0)
        }
    }
}

extension StreamExamplesRequest {
    /// Rows of a split in stored order.
    fileprivate init(_ version: DatasetVersion, _ split: SplitKind, _ draw: RowLibrary.Draw?) {
        self.init()
        (self.version, self.split) = (version.name, split)
        guard let draw else { return }
        (augment, seed, epoch) = (true, draw.seed, UInt32(clamping: draw.epoch))
    }
}
