import Base

/// A catalogue: a SQLite file in WAL mode, and the thread that its connection lives on.
///
/// Writes that arrive while another is on its way to the disk share the next transaction: each
/// keeps its own changes or none, and all of them wait for one sync instead of one each.
package actor Database {
    /// Writes that may wait.
    package static let waitingMax = 4_096
    /// Writes that share a transaction.
    static let groupMax = 256

    /// A write that waits: running it gives what tells its caller how the commit went.
    private struct PendingWrite {
        let run: (Connection) -> Attempt
    }

    /// A write that ran: its own failure, and what tells its caller how the commit went.
    private struct Attempt {
        let failure: StorageError?
        let answer: (StorageError?) -> Void
    }

    private let executor: ThreadExecutor
    private let connection: Connection
    private var waiting: [PendingWrite] = []
    private var isFlushScheduled = false

    /// Opens a catalogue; makes the file if it is not there.
    ///
    /// - Parameters:
    ///   - migrations: the schema in steps; those missing are applied
    ///   - cleanUp: statements that remove what a crash left unfinished
    package init(
        path: String, migrations: [Migration], cleanUp: String = ""
    ) throws(StorageError) {
        executor = ThreadExecutor(named: "catalogue")
        let connection = try Connection(path: path, mode: .readWrite)
        try connection.script(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA foreign_keys = ON;
            PRAGMA secure_delete = ON;
            PRAGMA cache_size = -32768;
            PRAGMA wal_autocheckpoint = 4000;
            PRAGMA journal_size_limit = 67108864;
            """)
        try connection.migrate(migrations)
        try connection.script("BEGIN IMMEDIATE; \(cleanUp); COMMIT")
        self.connection = connection
    }

    /// Opens a second, reading connection to a catalogue that exists: long reads through it do not
    /// keep writes waiting.
    package init(readingFrom path: String) throws(StorageError) {
        executor = ThreadExecutor(named: "catalogue-read")
        connection = try Connection(path: path, mode: .readOnly)
        try connection.script("PRAGMA query_only = ON; PRAGMA cache_size = -16384;")
    }

    /// The thread of this object.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.unowned }

    /// Runs `body` in a transaction. What it returns is on disk when this returns.
    @discardableResult
    package func write<R: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> R
    ) async throws -> R {
        guard waiting.count < Database.waitingMax else {
            throw StorageError.queueFull(waiting: waiting.count, max: Database.waitingMax)
        }
        return try await withUnsafeThrowingContinuation { continuation in
            waiting.append(
                PendingWrite { connection in
                    let result = Result { try connection.savepoint { try body(connection) } }
                    return Attempt(failure: result.storageError) { error in
                        if let error { return continuation.resume(throwing: error) }
                        continuation.resume(with: result)
                    }
                })
            scheduleFlush()
        }
    }

    /// Runs `body` on one state of the catalogue, whatever is written meanwhile.
    package func read<R: Sendable>(
        _ body: @Sendable (Connection) throws -> R
    ) async throws -> R {
        try connection.script("BEGIN")
        defer { connection.rollBack() }
        return try body(connection)
    }

    /// Moves all of the journal into the file and empties it, so that erased bytes are nowhere.
    package func truncateJournal() throws {
        try connection.script("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Checks the file from end to end; empty if it is sound.
    package func integrityFaults() throws -> [String] {
        let faults = try connection.rows("PRAGMA integrity_check(20)") { $0.text(0) }
        let orphans = try connection.rows("PRAGMA foreign_key_check") { row in
            "a row of \(row.text(0)) without its \(row.text(2))"
        }
        return faults.filter { $0 != "ok" } + orphans.prefix(20)
    }

    /// The flush goes behind the writes that wait for this actor now, so that they join it.
    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        Task { flush() }
    }

    private func flush() {
        isFlushScheduled = false
        let group = waiting.prefix(Database.groupMax)
        waiting.removeFirst(group.count)
        if !waiting.isEmpty { scheduleFlush() }
        do throws(StorageError) {
            try connection.script("BEGIN IMMEDIATE")
        } catch {
            for write in group { write.run(connection).answer(error) }
            return
        }
        commit(group)
    }

    private func commit(_ group: ArraySlice<PendingWrite>) {
        var answers: [(StorageError?) -> Void] = []
        var failure: StorageError?
        for write in group {
            let attempt = write.run(connection)
            answers.append(attempt.answer)
            guard connection.isInTransaction else {
                // A full or failing disk ends the whole transaction: what ran is undone, what did
                // not waits.
                failure = attempt.failure ?? .diskFull
                waiting.insert(contentsOf: group.dropFirst(answers.count), at: 0)
                scheduleFlush()
                break
            }
        }
        if failure == nil {
            do throws(StorageError) { try connection.commit() } catch { failure = error }
        }
        for answer in answers { answer(failure) }
    }
}

extension Result {
    fileprivate var storageError: StorageError? {
        guard case .failure(let error) = self else { return nil }
        return error as? StorageError
    }
}
