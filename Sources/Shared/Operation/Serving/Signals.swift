internal import CLinux
import Base
import Glibc

/// The signals that steer a service, received by a thread that waits for them.
package struct Signals: Sendable {
    /// What somebody wants of the process.
    package enum Event: Sendable, Hashable {
        /// SIGTERM or SIGINT: finish what is in progress and end.
        case stop
        /// SIGHUP: read certificates and tokens again.
        case reload
    }

    /// What arrives, in order.
    package let events: AsyncStream<Event>

    /// Waits for the signals from now on. A second SIGTERM or SIGINT ends the process at once.
    package init() {
        let (events, continuation) = AsyncStream<Event>.makeStream()
        self.events = events
        startThread(named: "signals") { Signals.wait(continuation) }
    }

    /// Keeps the signals for the thread that waits for them. Call it before other threads start:
    /// they inherit it.
    package static func block() {
        var set = steering
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private static var steering: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    private static func wait(_ events: AsyncStream<Event>.Continuation) {
        var set = steering
        var isStopping = false
        while true {
            var number: Int32 = 0
            guard sigwait(&set, &number) == 0 else { continue }
            if number == SIGHUP {
                events.yield(.reload)
            } else if isStopping {
                // Exit handlers could wait for what the first signal could not end.
                _exit(128 + number)
            } else {
                isStopping = true
                events.yield(.stop)
            }
        }
    }
}

/// Settings of the C library that every service wants.
package enum ProcessSetup {
    /// A peer that goes away is an error of a call, not the end of the process; and freed memory
    /// stays with the process, because giving it back costs 1 ms a MiB on the next use.
    package static func apply() {
        signal(SIGPIPE, SIG_IGN)
        // A limit on the size of files is an error of the write that meets it, not the end.
        signal(SIGXFSZ, SIG_IGN)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TOP_PAD, 64 << 20)
    }

    /// Gives blocks of this size and more back as soon as they are freed: for a service whose rare
    /// calls need far more memory than the others.
    package static func returnBlocks(ofBytes bytes: Int32) { mallopt(M_MMAP_THRESHOLD, bytes) }

    /// Gives all freed memory back, after such a call.
    package static func returnFreedMemory() { malloc_trim(0) }

    /// Raises the limit of open files to what the system allows.
    package static func raiseFileLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}
