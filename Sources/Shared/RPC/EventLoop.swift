import Base
import CLinux
import Glibc
import Synchronization

/// A file descriptor's owner, told when it is ready.
protocol LoopSource: AnyObject {
    /// - Parameter events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
    func ready(_ events: UInt32)
}

/// Something with output to send at the end of the turn.
protocol LoopFlushable: AnyObject {
    func flush()
}

/// One thread that waits for sockets, timers and work from other threads, and runs tasks.
///
/// Everything on a connection is touched only on its loop's thread. As a `TaskExecutor` the loop
/// also runs the handlers of its connections between their waits, so that a call that does not
/// wait never changes threads. Work that computes for long belongs on an executor of its own.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    // `inbox` has a lock and `thread` is written once before the thread runs; the rest is touched
    // only on the loop's own thread.
    fileprivate struct Inbox {
        var jobs: [UnownedJob] = []
        var work: [() -> Void] = []
        var isSleeping = false
        var isStopping = false
    }

    private let inbox = Lock(Inbox())
    private let epoll: Int32
    private let wakeup: Int32
    private let spinNanoseconds: UInt64
    private let thread = Atomic<UInt>(0)
    private var jobs: [UnownedJob] = []
    private var sources: [(source: (any LoopSource)?, generation: UInt32)] = []
    private var freeSlots: [Int] = []
    private var dirty: [any LoopFlushable] = []
    private var timers = TimerHeap()
    /// The clock at the start of this turn.
    private(set) var now = MonotonicTime.now()

    /// Scratch space for one read of a socket, shared by all connections of the loop.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)

    /// Makes a loop and starts its thread.
    ///
    /// - Parameters:
    ///   - name: of the thread, at most 15 characters
    ///   - spinMicroseconds: how long to poll before blocking: a blocked wake-up costs about 50 us
    package init(name: String, spinMicroseconds: Int = 50) {
        spinNanoseconds = UInt64(max(0, spinMicroseconds)) * 1000
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(epoll >= 0 && wakeup >= 0, "EventLoop: no file descriptors left")
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: .max))
        epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event)
        startThread(name)
    }

    deinit {
        Glibc.close(epoll)
        Glibc.close(wakeup)
        readBuffer.deallocate()
    }

    private func startThread(_ name: String) {
        final class Start {
            let loop: EventLoop
            let name: String
            init(_ loop: EventLoop, _ name: String) { (self.loop, self.name) = (loop, name) }
        }
        let start = Unmanaged.passRetained(Start(self, name))
        var id = pthread_t()
        let result = pthread_create(
            &id, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = start.name.withCString { pthread_setname_np(pthread_self(), $0) }
                start.loop.run()
                return nil
            }, start.toOpaque())
        precondition(result == 0, "EventLoop: no thread (\(result))")
        pthread_detach(id)
    }

    /// Whether the caller is on this loop's thread.
    package var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    /// Runs `work` on the loop: now if already there, else soon.
    func execute(_ work: @escaping @Sendable () -> Void) {
        if isCurrent { work() } else { submit(work) }
    }

    /// Runs `work` on the loop after the current turn's events.
    func submit(_ work: @escaping @Sendable () -> Void) {
        let isSleeping = inbox.with { inbox in
            inbox.work.append(work)
            return inbox.takeSleeping()
        }
        if isSleeping { wake() }
    }

    /// Runs `body` on the loop. Callers that may be there already ask `isCurrent` first.
    func run<Value, Failure>(
        _ body: @concurrent () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withTaskExecutorPreference(self, operation: body)
    }

    /// Runs a task's next piece on the loop.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            jobs.append(job)
            return
        }
        let isSleeping = inbox.with { inbox in
            inbox.jobs.append(job)
            return inbox.takeSleeping()
        }
        if isSleeping { wake() }
    }

    /// Ends the thread after the work already submitted. Connections must be closed before.
    package func stop() {
        let isSleeping = inbox.with { inbox in
            inbox.isStopping = true
            return inbox.takeSleeping()
        }
        if isSleeping { wake() }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }
}

extension EventLoop.Inbox {
    fileprivate mutating func takeSleeping() -> Bool {
        defer { isSleeping = false }
        return isSleeping
    }

    fileprivate var isEmpty: Bool { jobs.isEmpty && work.isEmpty && !isStopping }
}

// Called on the loop's thread only.
extension EventLoop {
    /// Watches a descriptor. Returns the slot to name it by.
    func add(_ source: any LoopSource, descriptor: Int32, events: UInt32) -> Int {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            sources[slot].source = source
        } else {
            slot = sources.count
            sources.append((source, 0))
        }
        control(EPOLL_CTL_ADD, slot, descriptor, events)
        return slot
    }

    /// Changes the events that a descriptor is watched for.
    func modify(slot: Int, descriptor: Int32, events: UInt32) {
        control(EPOLL_CTL_MOD, slot, descriptor, events)
    }

    /// Stops watching. Call before closing the descriptor.
    func remove(slot: Int, descriptor: Int32) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
        sources[slot].source = nil
        sources[slot].generation &+= 1
        freeSlots.append(slot)
    }

    private func control(_ operation: Int32, _ slot: Int, _ descriptor: Int32, _ events: UInt32) {
        let tag = UInt64(UInt32(slot)) << 32 | UInt64(sources[slot].generation)
        var event = epoll_event(events: events, data: epoll_data_t(u64: tag))
        epoll_ctl(epoll, operation, descriptor, &event)
    }

    /// Whether tasks wait for their turn.
    var hasJobs: Bool { !jobs.isEmpty }

    /// Has `flush` called at the end of this turn.
    func markDirty(_ flushable: any LoopFlushable) { dirty.append(flushable) }

    /// Has `target` told at `deadline`.
    func schedule(_ target: any TimerTarget, at deadline: MonotonicTime) -> Timer {
        let timer = Timer(deadline: deadline, target: target)
        timers.insert(timer)
        return timer
    }

    func cancel(_ timer: Timer) { timers.cancel(timer) }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        var lastActive = MonotonicTime.now()
        var isStopping = false
        while !isStopping {
            let idle = MonotonicTime.now().nanoseconds &- lastActive.nanoseconds
            let count = wait(&events, mayBlock: idle >= spinNanoseconds)
            now = MonotonicTime.now()
            for index in 0..<count { dispatch(events[index]) }
            let received = takeInbox()
            let worked = runTurn(received.work, &isStopping, received.isStopping)
            if count > 0 || worked { lastActive = now }
        }
        // Timers that will not fire, and sources, hold their owners, which hold the loop.
        timers = TimerHeap()
        sources = []
        dirty = []
    }

    /// Runs timers and queued work until nothing is left, then sends what came of it.
    private func runTurn(
        _ work: [() -> Void], _ isStopping: inout Bool, _ mustStop: Bool
    ) -> Bool {
        var worked = !work.isEmpty || !jobs.isEmpty
        for piece in work { piece() }
        while let target = timers.popDue(now) {
            target.timerFired()
            worked = true
        }
        // A few rounds, so that a stream that is written without end leaves time for others.
        for _ in 0..<4 where !jobs.isEmpty || !dirty.isEmpty {
            runJobs()
            flushDirty()
        }
        isStopping = mustStop && jobs.isEmpty
        return worked
    }

    private func runJobs() {
        var rounds = 0
        while !jobs.isEmpty, rounds < 64 {
            var batch: [UnownedJob] = []
            swap(&batch, &jobs)
            for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
            if jobs.isEmpty {
                batch.removeAll(keepingCapacity: true)
                swap(&batch, &jobs)
            }
            rounds += 1
        }
    }

    private func flushDirty() {
        guard !dirty.isEmpty else { return }
        var batch: [any LoopFlushable] = []
        swap(&batch, &dirty)
        for flushable in batch { flushable.flush() }
        if dirty.isEmpty {
            batch.removeAll(keepingCapacity: true)
            swap(&batch, &dirty)
        }
    }

    private func takeInbox() -> (work: [() -> Void], isStopping: Bool) {
        inbox.with { inbox in
            inbox.isSleeping = false
            if !inbox.jobs.isEmpty {
                jobs.append(contentsOf: inbox.jobs)
                inbox.jobs.removeAll(keepingCapacity: true)
            }
            guard !inbox.work.isEmpty else { return ([], inbox.isStopping) }
            let work = inbox.work
            inbox.work = []
            return (work, inbox.isStopping)
        }
    }

    private func wait(_ events: inout [epoll_event], mayBlock: Bool) -> Int {
        var timeoutMilliseconds: Int32 = 0
        if mayBlock, jobs.isEmpty, dirty.isEmpty, prepareToSleep() {
            timeoutMilliseconds = sleepMilliseconds()
        }
        let count = epoll_wait(epoll, &events, Int32(events.count), timeoutMilliseconds)
        if count <= 0, timeoutMilliseconds == 0 { rest() }
        return max(0, Int(count))
    }

    /// About a microsecond between two looks, for the sake of the processor's other thread.
    private func rest() {
        for _ in 0..<64 { fovea_rest() }
    }

    private func prepareToSleep() -> Bool {
        inbox.with { inbox in
            inbox.isSleeping = inbox.isEmpty
            return inbox.isSleeping
        }
    }

    private func sleepMilliseconds() -> Int32 {
        guard let next = timers.next else { return -1 }
        let seconds = next.seconds(since: MonotonicTime.now())
        return Int32(min(max(seconds * 1000 + 1, 0), 60_000))
    }

    private func dispatch(_ event: epoll_event) {
        let tag = event.data.u64
        guard tag != .max else {
            var count: UInt64 = 0
            _ = read(wakeup, &count, 8)
            return
        }
        let slot = Int(tag >> 32)
        guard sources[slot].generation == UInt32(truncatingIfNeeded: tag) else { return }
        sources[slot].source?.ready(event.events)
    }
}
