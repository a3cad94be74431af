import Glibc

/// A thread that runs the jobs of one actor, in order.
///
/// For actors whose work waits for a disk or takes long: on the shared pool it would keep others
/// from running. The thread ends when the last reference goes.
package final class ThreadExecutor: Sendable {
    private let mailbox: Mailbox

    /// - Parameter name: at most 15 bytes, shown by `top -H`
    package init(named name: String) {
        let mailbox = Mailbox()
        self.mailbox = mailbox
        startThread(named: name) { mailbox.runUntilClosed() }
    }

    deinit { mailbox.close() }

    /// What an actor returns as its `unownedExecutor`; the actor keeps this object.
    package var unowned: UnownedSerialExecutor { mailbox.asUnownedSerialExecutor() }
}

/// The jobs that wait. Kept by its thread until there is nothing left to run.
private final class Mailbox: SerialExecutor, @unchecked Sendable {
    // Both are read and written between lock and unlock of `mutex` only.
    private var waiting: [UnownedJob] = []
    private var isClosed = false

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    init() {
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

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        locked {
            waiting.append(job)
            if waiting.count == 1 { pthread_cond_signal(changed) }
        }
    }

    func close() {
        locked {
            isClosed = true
            pthread_cond_signal(changed)
        }
    }

    func runUntilClosed() {
        while let jobs = take() {
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }

    /// What waits; nil once closed and empty.
    private func take() -> [UnownedJob]? {
        locked {
            while waiting.isEmpty, !isClosed { pthread_cond_wait(changed, mutex) }
            let jobs = waiting
            waiting = []
            return jobs.isEmpty ? nil : jobs
        }
    }

    private func locked<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
