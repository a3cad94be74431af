/// Every limit of the service, in one place. Each is told with both numbers where it is reached.
enum TrainerLimits {
    static let warningsMax = 1_000
    static let measuresMax = 1_000
    /// Jobs that may wait for a device.
    static let queuedMax = 10_000
    /// Events read at a time for a watcher.
    static let eventsPerRead = 256
    static let bodyBytesMax = 1 << 20
    /// Rows of a version that are counted while the caller of CreateJob waits.
    static let rowsCountedAtOnce = 50_000
    static let seedRowsMin = 300
    static let modelFilesMax = 4_096
    static let chunkBytes = 1 << 20
    static let lostExamplesMax = 100
    static let candidatesMax = 16
    static let rowsCachedBytes = 4 << 30
    /// How often progress is told at most, in seconds.
    static let progressSeconds = 1.0
}
