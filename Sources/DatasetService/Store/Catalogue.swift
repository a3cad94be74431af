import Base
import Digests
import Foundation
import Messages
import Storage

/// The data of the service: a catalogue, images by digest, and the lock that keeps both for this
/// process.
struct Catalogue: Sendable {
    /// All changes.
    let writer: Database
    /// Short reads.
    let reader: Database
    /// Long reads: freezing, exports, inspections.
    let scanner: Database
    let blobs: BlobStore
    /// Threads that read images, given to streams in turn.
    private let pictureReaders: [PictureReader]
    private let picturesGiven = Lock(0)
    let clock: @Sendable () -> Int64
    private let lock: FolderLock

    /// Opens what is in the folder, or begins it, and clears what a crash left unfinished.
    init(
        folder: String, clock: @escaping @Sendable () -> Int64 = { WallClock.nanoseconds() }
    ) throws(StorageError) {
        lock = try FolderLock(folder: folder)
        let path = "\(folder)/catalogue.sqlite"
        writer = try Database(path: path, migrations: Schema.migrations, cleanUp: Schema.cleanUp)
        reader = try Database(readingFrom: path)
        scanner = try Database(readingFrom: path)
        blobs = try BlobStore(folder: "\(folder)/blobs")
        let blobs = blobs
        pictureReaders = (0..<4).map { _ in PictureReader(blobs) }
        self.clock = clock
    }

    /// The reader that was given out longest ago.
    func nextPictureReader() -> PictureReader {
        let number = picturesGiven.with { given in
            given = (given + 1) % pictureReaders.count
            return given
        }
        return pictureReaders[number]
    }

    /// Answers a repeated request as the first time, for a day; else does what it asks.
    ///
    /// - Parameter id: empty for a request that is not to be remembered
    func once<Request: WireMessage, Response: WireMessage>(
        _ id: String, _ request: Request,
        _ body: @escaping @Sendable (Connection) throws -> Response
    ) async throws -> Response {
        guard let mark = try RequestMark(id, request) else {
            return try await writer.write(body)
        }
        let now = clock()
        return try await writer.write { db in
            if let answer: Response = try db.answer(to: mark) { return answer }
            let response = try body(db)
            try db.remember(response, to: mark, now: now)
            return response
        }
    }
}

/// What a request that may be repeated is known by.
struct RequestMark: Sendable {
    let id: String
    let digest: SQLValue

    /// nil for a request without an id, which is not remembered.
    init?<Request: WireMessage>(_ id: String, _ request: Request) throws {
        guard !id.isEmpty else { return nil }
        guard UUID(uuidString: id) != nil else {
            throw DatasetError.invalid(
                field: "request_id", seen: id, allowed: "a UUID is allowed")
        }
        self.id = id.lowercased()
        digest = SQLValue.digest(Bytes(Request.messageName + "\n"), try request.encoded())
    }
}

extension Connection {
    /// What was answered to a request before; nil if it is new.
    func answer<Response: WireMessage>(to mark: RequestMark) throws -> Response? {
        let stored = try first(
            "SELECT request_sha = ?, response FROM requests WHERE id = ?", mark.digest,
            .text(mark.id), as: { ($0.bool(0), $0.blob(1)) })
        guard let stored else { return nil }
        guard stored.0 else { throw DatasetError.requestIDReused(mark.id) }
        return try Response(decoding: stored.1)
    }

    /// Keeps an answer for a day.
    func remember(_ response: some WireMessage, to mark: RequestMark, now: Int64) throws {
        try run(
            "DELETE FROM requests WHERE create_ns < ?",
            .integer(now - Limits.requestSecondsKept * 1_000_000_000))
        try run(
            "INSERT INTO requests VALUES(?, ?, ?, ?)", .text(mark.id), mark.digest,
            .blob(try response.encoded()), .integer(now))
    }
}

extension SQLValue {
    /// The 32 bytes of a digest.
    init(_ digest: Digest256) { self = .blob(digest.withBytes { Bytes(copying: $0) }) }

    /// The digest of bytes, one after another.
    static func digest(_ parts: Bytes...) -> SQLValue {
        var hash = SHA256()
        for part in parts { part.withUnsafeBytes { hash.update($0) } }
        return SQLValue(hash.finish())
    }
}

extension Row {
    /// A digest stored by `SQLValue`; nil for anything else.
    func digest(_ column: Int32) -> Digest256? { withBlob(column) { Digest256($0) } }
}

extension GoogleProtobuf.Timestamp {
    /// A moment in nanoseconds since 1970.
    init(nanoseconds: Int64) {
        self.init()
        seconds = nanoseconds / 1_000_000_000
        nanos = Int32(nanoseconds % 1_000_000_000)
    }

    /// The moment in nanoseconds since 1970, cut where that does not fit 64 bits.
    var nanoseconds: Int64 {
        let bounded = min(max(seconds, -9_000_000_000), 9_000_000_000)
        return bounded * 1_000_000_000 + Int64(nanos)
    }
}
