/// In which order the jobs that wait for a device get it.
///
/// Jobs that a restart interrupted come first. Then people take turns: the one whose job got the
/// device longest ago is next, with the job that waits longest. So a hundred jobs of one person
/// delay another's by one job.
struct JobQueue: Sendable {
    /// A job that waits.
    struct Entry: Sendable, Hashable {
        let job: Int64
        let author: String
        let queuedNanoseconds: Int64
        let isInterrupted: Bool
    }

    /// The jobs, next one first.
    let order: [Int64]

    /// - Parameters:
    ///   - entries: in any order
    ///   - served: when a job of each author last got the device; those who never had it are absent
    init(_ entries: [Entry], served: [String: Int64]) {
        let sorted = entries.sorted {
            ($0.queuedNanoseconds, $0.job) < ($1.queuedNanoseconds, $1.job)
        }
        var order = sorted.filter(\.isInterrupted).map(\.job)
        var waiting = Dictionary(grouping: sorted.filter { !$0.isInterrupted }, by: \.author)
            .mapValues { $0[...] }
        // Whom this order serves comes after all whom it has not served yet.
        var turns = served.mapValues { (round: 0, time: $0) }
        var round = 0
        while !waiting.isEmpty {
            let next = waiting.min { a, b in
                Self.key(turns[a.key], a.value.first) < Self.key(turns[b.key], b.value.first)
            }
            guard let author = next?.key, let entry = waiting[author]?.popFirst() else { break }
            if waiting[author]?.isEmpty ?? true { waiting[author] = nil }
            round += 1
            turns[author] = (round, 0)
            order.append(entry.job)
        }
        self.order = order
    }

    private static func key(
        _ turn: (round: Int, time: Int64)?, _ entry: Entry?
    ) -> (Int, Int64, Int64, Int64) {
        (
            turn?.round ?? 0, turn?.time ?? 0, entry?.queuedNanoseconds ?? 0, entry?.job ?? 0
        )
    }

    /// The place of a job, from 1; 0 if it does not wait.
    func position(of job: Int64) -> Int { (order.firstIndex(of: job) ?? -1) + 1 }
}
