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
        guard !id.isEmpty else { return try await writer.write(body) }
        guard UUID(uuidString: id) != nil else {
            throw DatasetError.invalid(
                field: "request_id", seen: id, allowed: "a UUID is allowed")
        }
        let sha = SQLValue.digest(Bytes(Request.messageName + "\n"), try request.encoded())
        let now = clock()
        return try await writer.write { db in
            if let stored = try db.first(
                "SELECT request_sha = ?, response FROM requests WHERE id = ?", sha,
                .text(id.lowercased()), as: { ($0.bool(0), $0.blob(1)) })
            {
                guard stored.0 else { throw DatasetError.requestIDReused(id) }
                return try Response(decoding: stored.1)
            }
            try db.run(
                "DELETE FROM requests WHERE create_ns < ?",
                .integer(now - Limits.requestSecondsKept * 1_000_000_000))
            let response = try body(db)
            try db.run(
                "INSERT INTO requests VALUES(?, ?, ?, ?)", .text(id.lowercased()), sha,
                .blob(try response.encoded()), .integer(now))
            return response
        }
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
