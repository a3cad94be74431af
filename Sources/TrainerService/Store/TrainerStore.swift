import Base
import Messages
import Resources
import Storage

/// What the trainer keeps: models, jobs with their events, evaluations; and the lock that keeps the
/// folder for this process.
struct TrainerStore: Sendable {
    let folder: String
    /// All changes.
    let writer: Database
    /// Reads, which changes do not keep waiting.
    let reader: Database
    /// Who waits for changes of jobs.
    let board: JobBoard
    let clock: @Sendable () -> Int64
    private let lock: FolderLock

    /// Opens what is in the folder, or begins it.
    ///
    /// - Parameters:
    ///   - heartbeatSeconds: after which a watcher hears that nothing happened
    ///   - clock: nanoseconds since 1970
    init(
        folder: String, heartbeatSeconds: Double = 15,
        clock: @escaping @Sendable () -> Int64 = { WallClock.nanoseconds() }
    ) throws(StorageError) {
        lock = try FolderLock(folder: folder)
        let path = "\(folder)/trainer.sqlite"
        writer = try Database(path: path, migrations: TrainerSchema.migrations)
        reader = try Database(readingFrom: path)
        board = JobBoard(heartbeatSeconds: heartbeatSeconds)
        (self.folder, self.clock) = (folder, clock)
    }

    /// The folder of what a job writes.
    func folder(of job: JobName) -> String { "\(folder)/jobs/\(job.id)" }
}
