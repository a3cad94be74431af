import Glibc

/// Turns records into lines and writes them from a thread of its own.
///
/// The queue has a maximum: where the reader of the log is slower than the service, records are
/// dropped and counted, and the count is written once there is room. Nobody waits for a log.
package final class LogWriter: LogSink {
    /// More records than this waiting are dropped.
    package static let recordsMaxDefault = 16_384

    private let queue: LogQueue
    private let format: LogFormat
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameters:
    ///   - format: how lines look
    ///   - recordsMax: the length of the queue
    ///   - write: puts whole lines out; may block, and is called by one thread only
    package init(
        format: LogFormat, recordsMax: Int = LogWriter.recordsMaxDefault,
        write: @escaping @Sendable ([UInt8]) -> Void = { LogWriter.writeToStandardError($0) }
    ) {
        (self.format, self.write) = (format, write)
        queue = LogQueue(recordsMax: recordsMax)
    }

    /// Starts the thread that writes. It lives as long as the process.
    package func start() {
        startThread(named: "log") { [self] in
            while true { writeBatch(queue.takeAll()) }
        }
    }

    package func accept(_ record: Log.Record) { queue.append(record) }

    package func flush() { queue.waitUntilWritten() }

    /// Writes one batch. Called by the thread; by tests without one.
    func writeBatch(_ batch: LogQueue.Batch) {
        var lines: [UInt8] = []
        for record in batch.records { lines += format.line(record) }
        if batch.dropped > 0 {
            let record = Log.Record(
                .warning, at: WallClock.nanoseconds(),
                "log records were dropped: the log's reader is slow",
                [Log.Field("dropped", .integer(batch.dropped))])
            lines += format.line(record)
        }
        if !lines.isEmpty { write(lines) }
        queue.batchWritten()
    }

    /// Writes all of it, whatever interrupts; gives up if nobody can ever read it.
    package static func writeToStandardError(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while let base = rest.baseAddress, !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, base, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if count < 0, errno == EAGAIN {
                    var poll = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                    _ = Glibc.poll(&poll, 1, 1_000)
                } else if count >= 0 || errno != EINTR {
                    return
                }
            }
        }
    }
}

/// The records between those who write lines and the thread that puts them out.
final class LogQueue: @unchecked Sendable {
    /// What waits, and how many found no room since the last batch.
    struct Batch {
        var records: [Log.Record] = []
        var dropped = 0
    }

    // All are read and written between lock and unlock of `mutex` only.
    private var waiting = Batch()
    private var isTakerIdle = false
    private var isWriting = false
    private var flushersWaiting = 0

    private let recordsMax: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    init(recordsMax: Int) {
        self.recordsMax = recordsMax
        mutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Appends, or counts a drop where the queue is full.
    func append(_ record: Log.Record) {
        locked {
            guard waiting.records.count < recordsMax else {
                waiting.dropped += 1
                return
            }
            waiting.records.append(record)
            // A busy taker finds the record anyway; waking it for each would cost a system call.
            if isTakerIdle {
                isTakerIdle = false
                pthread_cond_broadcast(changed)
            }
        }
    }

    /// Everything that waits; waits itself while there is nothing.
    func takeAll() -> Batch {
        locked {
            while waiting.records.isEmpty {
                isTakerIdle = true
                pthread_cond_wait(changed, mutex)
            }
            isTakerIdle = false
            linger()
            return takeWaiting()
        }
    }

    /// What waits now, perhaps nothing.
    func takeNow() -> Batch { locked { takeWaiting() } }

    func batchWritten() {
        locked {
            isWriting = false
            pthread_cond_broadcast(changed)
        }
    }

    /// Waits until the queue is empty and written, or two seconds are over: a reader of the log
    /// that has stopped must not keep a program from ending.
    func waitUntilWritten() {
        locked {
            flushersWaiting += 1
            defer { flushersWaiting -= 1 }
            var deadline = moment(afterNanoseconds: 2_000_000_000)
            while !waiting.records.isEmpty || isWriting {
                pthread_cond_broadcast(changed)
                guard pthread_cond_timedwait(changed, mutex, &deadline) == 0 else { return }
            }
        }
    }

    private func takeWaiting() -> Batch {
        let batch = waiting
        waiting = Batch()
        isWriting = true
        return batch
    }

    /// Gives further records 5 ms to join the batch, unless somebody waits for it.
    private func linger() {
        guard flushersWaiting == 0 else { return }
        var deadline = moment(afterNanoseconds: 5_000_000)
        while flushersWaiting == 0, pthread_cond_timedwait(changed, mutex, &deadline) == 0 {}
    }

    private func moment(afterNanoseconds span: Int64) -> timespec {
        let end = WallClock.nanoseconds() + span
        return timespec(tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
    }

    private func locked<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
