import Messages

/// Which states a job can go through.
enum JobLife {
    /// What a person wants of a job at work.
    enum Wish: UInt8, Sendable, Hashable {
        case pause
        case cancel
    }

    private static let successors: [JobState: Set<JobState>] = [
        .queued: [.validating, .paused, .cancelled, .failed],
        // Back to the queue: the service ended meanwhile.
        .validating: [.running, .queued, .paused, .failed, .cancelled],
        .running: [.succeeded, .queued, .paused, .failed, .cancelled],
        .paused: [.queued, .cancelled],
        .failed: [.queued],
    ]

    static func mayMove(from old: JobState, to new: JobState) -> Bool {
        successors[old]?.contains(new) ?? false
    }

    /// States in which nothing more happens unless somebody asks.
    static let ended: Set<JobState> = [.succeeded, .failed, .cancelled]

    /// States in which a job has its device.
    static let atWork: Set<JobState> = [.validating, .running]
}
