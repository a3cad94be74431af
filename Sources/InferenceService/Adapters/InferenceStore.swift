import Base
import Resources
import Storage

/// What the service keeps: adapters by digest, aliases with all their changes, answers to repeated
/// requests; and the lock that keeps the folder for this process.
struct InferenceStore: Sendable {
    let folder: String
    /// All changes.
    let writer: Database
    /// Reads, which changes do not keep waiting.
    let reader: Database
    /// Nanoseconds since 1970.
    let clock: @Sendable () -> Int64
    private let lock: FolderLock

    /// Opens what is in the folder, or begins it.
    init(
        folder: String, clock: @escaping @Sendable () -> Int64 = { WallClock.nanoseconds() }
    ) throws(StorageError) {
        lock = try FolderLock(folder: folder)
        let path = "\(folder)/inference.sqlite"
        writer = try Database(path: path, migrations: InferenceSchema.migrations)
        reader = try Database(readingFrom: path)
        (self.folder, self.clock) = (folder, clock)
    }
}

/// The tables of the service. Released migrations never change; new ones go to the end.
///
/// An adapter that was unloaded and not erased keeps its row with `is_loaded` 0, since its files
/// are still there.
enum InferenceSchema {
    static let migrations = [
        Migration(
            "inference",
            """
            CREATE TABLE adapters(
                id INTEGER PRIMARY KEY,
                sha TEXT NOT NULL UNIQUE,
                is_loaded INTEGER NOT NULL,
                message BLOB NOT NULL,
                load_ns INTEGER NOT NULL);
            CREATE TABLE aliases(
                alias TEXT PRIMARY KEY,
                sha TEXT NOT NULL REFERENCES adapters(sha),
                update_ns INTEGER NOT NULL) WITHOUT ROWID;
            CREATE INDEX aliases_by_adapter ON aliases(sha);
            CREATE TABLE alias_changes(
                id INTEGER PRIMARY KEY,
                alias TEXT NOT NULL,
                sha TEXT NOT NULL,
                previous_sha TEXT NOT NULL,
                author TEXT NOT NULL,
                reason TEXT NOT NULL,
                change_ns INTEGER NOT NULL);

            """ + RepeatedRequests.schema)
    ]
}
