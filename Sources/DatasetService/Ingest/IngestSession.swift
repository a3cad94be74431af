import Base
import Digests
import Images
import Messages
import Resources
import Storage

/// The threads that look at rows, shared by all uploads.
struct IngestWorkers: Sendable {
    private let workers: [IngestWorker]
    /// How many groups are between arrival and disk at a time, over all uploads.
    private let turnstile: Turnstile
    private let uploads = Lock(0)

    init(count: Int) {
        workers = (0..<max(1, count)).map { _ in IngestWorker() }
        turnstile = Turnstile(max: max(2, count))
    }

    /// Counts an upload for as long as `body` runs.
    func counted<R>(_ body: () async throws -> R) async throws -> R {
        uploads.with { $0 += 1 }
        defer { uploads.with { $0 -= 1 } }
        return try await body()
    }

    /// How large a group may become: less where many upload at once, so that memory stays bounded.
    var groupBytesMax: Int {
        min(Limits.groupBytesMax, Limits.arrivingBytesMax / uploads.with { max(1, $0) })
    }

    /// One image.
    func picture(
        _ bytes: Bytes, _ upload: Digest256, _ limits: Messages.ImageLimits
    ) async throws(Rejection) -> Picture {
        try await workers[Int(upload.firstByte) % workers.count].picture(bytes, upload, limits)
    }

    /// Looks at a group on all threads at once.
    func prepare(
        _ rows: [ArrivedRow], _ terms: IngestTerms, _ catalogue: Catalogue
    ) async throws -> [PreparedRow] {
        await turnstile.enter()
        do {
            let prepared = try await prepareAll(rows, terms, catalogue)
            await turnstile.leave()
            return prepared
        } catch {
            await turnstile.leave()
            throw error
        }
    }

    private func prepareAll(
        _ rows: [ArrivedRow], _ terms: IngestTerms, _ catalogue: Catalogue
    ) async throws -> [PreparedRow] {
        let digested = await digested(rows)
        let known = try await knownPictures(digested, terms, catalogue)
        let parts = self.parts(of: digested)
        return await withTaskGroup(of: (Int, [PreparedRow]).self) { group in
            for (number, part) in parts.enumerated() {
                group.addTask {
                    (number, await workers[number].prepare(part, terms, known: known))
                }
            }
            var results = [[PreparedRow]](repeating: [], count: parts.count)
            for await (number, prepared) in group { results[number] = prepared }
            return results.flatMap { $0 }
        }
    }

    private func digested(_ rows: [ArrivedRow]) async -> [ArrivedRow] {
        let parts = self.parts(of: rows)
        return await withTaskGroup(of: (Int, [ArrivedRow]).self) { group in
            for (number, part) in parts.enumerated() {
                group.addTask { (number, await workers[number].digested(part)) }
            }
            var results = [[ArrivedRow]](repeating: [], count: parts.count)
            for await (number, digested) in group { results[number] = digested }
            return results.flatMap { $0 }
        }
    }

    /// What is stored already need not be decoded again.
    private func knownPictures(
        _ rows: [ArrivedRow], _ terms: IngestTerms, _ catalogue: Catalogue
    ) async throws -> [Digest256: Picture] {
        let uploads = rows.flatMap(\.uploads)
        let named = rows.flatMap { row in
            row.images.compactMap { image -> Digest256? in
                if case .known(let digest) = image { digest } else { nil }
            }
        }
        return try await catalogue.reader.read { db in
            // Bytes prove that the caller has the image; a digest alone does not.
            let ofDataset = try db.pictures(named, of: terms.dataset.id)
            return try db.pictures(uploads, of: nil).merging(ofDataset) { $1 }
        }
    }

    private func parts(of rows: [ArrivedRow]) -> [ArraySlice<ArrivedRow>] {
        let size = max(1, (rows.count + workers.count - 1) / workers.count)
        return stride(from: 0, to: rows.count, by: size).map {
            rows[$0..<min($0 + size, rows.count)]
        }
    }
}

/// Lets so many in at a time, in the order in which they came.
private actor Turnstile {
    private var free: Int
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    init(max: Int) { free = max }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    func leave() {
        guard waiting.isEmpty else { return waiting.removeFirst().resume() }
        free += 1
    }
}

/// One upload: collects rows into groups, and stores a group while the next one arrives.
struct IngestSession {
    private let catalogue: Catalogue
    private let workers: IngestWorkers
    private let terms: IngestTerms
    private let author: String
    private var tally: IngestTally
    private var rows: [ArrivedRow] = []
    private var rowBytes = 0
    private var rowCount: UInt64 = 0
    private var uploads: [String: Result<Picture, Rejection>] = [:]
    private var piece: (key: String, bytes: [UInt8], count: Int)?
    private var storing: Task<[(PreparedRow, RowOutcome)], any Error>?

    /// Begins an upload; the header says to which dataset.
    init(
        _ header: IngestHeader, _ catalogue: Catalogue, _ workers: IngestWorkers, author: String
    ) async throws {
        let name = try DatasetName(header.parent, field: "header.parent")
        guard header.origin.utf8.count <= Limits.originBytesMax else {
            throw DatasetError.tooLarge(
                what: "header.origin", bytes: header.origin.utf8.count,
                bytesMax: Limits.originBytesMax)
        }
        if let asked = header.rowReportsMax, asked > Limits.reportsMax {
            throw DatasetError.invalid(
                field: "header.row_reports_max", seen: "\(asked)",
                allowed: "0 to \(Limits.reportsMax) is allowed")
        }
        let dataset = try await catalogue.reader.read { db in try db.dataset(name) }
        (self.catalogue, self.workers, self.author) = (catalogue, workers, author)
        terms = IngestTerms(header, dataset)
        tally = IngestTally(header, dataset: name)
    }

    /// Takes the next message after the header.
    mutating func take(_ part: IngestExamplesRequest.Part?) async throws {
        switch part {
        case .row(let row)?:
            guard piece == nil else {
                throw DatasetError.outOfOrder(seen: "a row", expected: "the rest of an image")
            }
            try await take(row)
        case .image(let image)?: try await take(image)
        case .header?: throw DatasetError.outOfOrder(seen: "a second header", expected: "rows")
        case nil: throw DatasetError.outOfOrder(seen: "an empty message", expected: "rows")
        }
    }

    /// Stores what is left and tells what became of everything.
    mutating func finish() async throws -> IngestExamplesResponse {
        if let piece {
            throw DatasetError.outOfOrder(
                seen: "the end", expected: "the rest of image '\(piece.key.shortened)'")
        }
        try await flush()
        try await settle()
        try await note()
        return tally.finished
    }

    private mutating func take(_ row: IngestRow) async throws {
        var images: [ArrivedImage] = []
        for image in row.images {
            switch image.source {
            case .content(let bytes)?:
                tally.addImageBytes(bytes.count)
                rowBytes += bytes.count
                images.append(.content(bytes, nil))
            case .uploadKey(let key)?:
                images.append(uploads[key].map { .uploaded($0) } ?? .refused(Self.unknown(key)))
            case .imageSha256(let hex)?:
                images.append(
                    Digest256(hex: hex).map { .known($0) } ?? .refused(Self.unknown(hex)))
            case nil: images.append(.refused(Self.unknown("")))
            }
        }
        var row = row
        // The bytes are kept once, and only until their group is stored.
        for index in row.images.indices { row.images[index].source = nil }
        rows.append(ArrivedRow(index: rowCount, row: row, images: images))
        rowCount += 1
        if rows.count >= Limits.groupRowsMax || rowBytes >= workers.groupBytesMax {
            try await flush()
        }
    }

    private static func unknown(_ name: String) -> Rejection {
        Rejection(
            .imageNotFound, seen: name, allowed: "content, or an image sent or stored before",
            "there is no such image")
    }

    private mutating func take(_ image: ImageUpload) async throws {
        if piece == nil {
            guard (1...Limits.rowIDBytesMax).contains(image.uploadKey.utf8.count) else {
                throw DatasetError.invalid(
                    field: "image.upload_key", seen: image.uploadKey,
                    allowed: "1 to \(Limits.rowIDBytesMax) bytes are allowed")
            }
            guard uploads.count < Limits.uploadKeysMax else {
                throw DatasetError.tooLarge(
                    what: "the list of uploaded images", bytes: uploads.count,
                    bytesMax: Limits.uploadKeysMax)
            }
            piece = (image.uploadKey, [], 0)
        }
        guard var current = piece, current.key == image.uploadKey else {
            throw DatasetError.outOfOrder(
                seen: "image '\(image.uploadKey.shortened)'", expected: "the rest of the one before"
            )
        }
        tally.addImageBytes(image.content.count)
        current.count += image.content.count
        // Beyond the limit only the size is kept, for the message.
        if current.count <= terms.limits.decoding.bytesMax {
            image.content.withUnsafeBytes { current.bytes.append(contentsOf: $0) }
        } else {
            current.bytes = []
        }
        piece = current
        guard image.last else { return }
        piece = nil
        uploads[current.key] = try await stored(current.bytes, count: current.count)
    }

    /// An image sent before its rows: stored at once, so that only its name is kept.
    private func stored(
        _ bytes: [UInt8], count: Int
    ) async throws -> Result<Picture, Rejection> {
        guard bytes.count == count else {
            return .failure(
                Rejection(.tooManyBytes(count: count, max: terms.limits.decoding.bytesMax)))
        }
        let content = Bytes(bytes)
        let digest = content.sha256
        do {
            var picture = try await workers.picture(content, digest, terms.limits)
            if !terms.header.validateOnly { try await catalogue.blobs.store(picture.blobs) }
            picture.bytes = nil
            return .success(picture)
        } catch let rejection as Rejection {
            return .failure(rejection)
        }
    }

    /// Sends the group on its way: looks at it while the one before is stored.
    private mutating func flush() async throws {
        guard !rows.isEmpty else { return }
        let group = rows
        (rows, rowBytes) = ([], 0)
        let prepared = try await workers.prepare(group, terms, catalogue)
        try await settle()
        let (catalogue, terms) = (catalogue, terms)
        storing = Task { try await catalogue.store(prepared, terms) }
    }

    /// Waits for the group that is being stored.
    private mutating func settle() async throws {
        guard let task = storing else { return }
        storing = nil
        for (row, outcome) in try await task.value { tally.add(row, outcome) }
    }

    /// A line for the audit.
    private func note() async throws {
        let accepted = tally.finished.acceptedCount
        guard accepted > 0, !terms.header.validateOnly else { return }
        let (terms, author, now) = (terms, author, catalogue.clock())
        try await catalogue.writer.write { db in
            try db.run(
                """
                INSERT INTO ingests(dataset_id, origin, author, accepted_count, create_ns)
                VALUES(?, ?, ?, ?, ?)
                """, .integer(terms.dataset.id), .text(terms.header.origin), .text(author),
                SQLValue(Int(accepted)), .integer(now))
        }
    }
}

extension Picture {
    /// What is to be stored of it.
    var blobs: [(digest: Digest256, bytes: Bytes)] {
        var all: [(digest: Digest256, bytes: Bytes)] = []
        if let bytes { all.append((digest, bytes)) }
        if let original { all.append((upload, original)) }
        return all
    }
}

extension Catalogue {
    /// Stores a group: images first, then the rows that name them, all on disk when this returns.
    func store(
        _ rows: [PreparedRow], _ terms: IngestTerms
    ) async throws -> [(PreparedRow, RowOutcome)] {
        if terms.header.validateOnly { return try await validate(rows, terms) }
        try await blobs.store(rows.filter(\.problems.isEmpty).flatMap(\.pictures).flatMap(\.blobs))
        do {
            return try await write(rows, terms)
        } catch StorageError.blobMissing {
            // Somebody erased the last row with one of these images meanwhile: store it again.
            try await blobs.store(
                rows.filter(\.problems.isEmpty).flatMap(\.pictures).flatMap(\.blobs))
            return try await write(rows, terms)
        }
    }

    private func write(
        _ rows: [PreparedRow], _ terms: IngestTerms
    ) async throws -> [(PreparedRow, RowOutcome)] {
        let (blobs, now) = (blobs, clock())
        return try await writer.write { db in
            _ = try db.dataset(terms.dataset.name)
            let store = IngestStore(db: db, blobs: blobs, terms: terms, now: now)
            return try rows.map { ($0, try store.store($0)) }
        }
    }

    /// What would become of the rows; their bytes are not kept, so neither is asked for.
    private func validate(
        _ rows: [PreparedRow], _ terms: IngestTerms
    ) async throws -> [(PreparedRow, RowOutcome)] {
        try await reader.read { db in
            try rows.map { row in
                guard row.problems.isEmpty else {
                    return (
                        row,
                        RowOutcome(
                            verdict: .rejected, problems: row.problems, newImages: 0,
                            knownImages: 0)
                    )
                }
                let same = try db.first(
                    """
                    SELECT row_sha = ? FROM examples JOIN revisions ON revisions.id = revision_id
                    WHERE dataset_id = ? AND row_id = ?
                    """, SQLValue(row.payload.sha256), .integer(terms.dataset.id),
                    .text(row.rowID)
                ) { $0.bool(0) }
                let verdict: RowVerdict =
                    switch (same, terms.header.conflictPolicy) {
                    case (true?, _): .duplicate
                    case (false?, .replace), (nil, _): .accepted
                    default: .rejected
                    }
                return (
                    row, RowOutcome(verdict: verdict, problems: [], newImages: 0, knownImages: 0)
                )
            }
        }
    }
}
