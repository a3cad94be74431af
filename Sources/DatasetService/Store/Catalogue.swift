import Base
import Digests
import Messages
import Resources
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
    let answerRules = AnswerRulesCache()
    let agreements = AgreementDesk()
    /// Threads that read images, given to streams in turn.
    let pictureReaders: [PictureReader]
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
        try await writer.once(id, request, now: clock(), body)
    }
}
