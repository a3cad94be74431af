import Base

/// Something that wants to be told when a moment has come.
protocol TimerTarget: AnyObject {
    /// Called on the loop, once.
    func timerFired()
}

/// One alarm. Cancelling is free; the heap drops cancelled timers when they are the majority.
final class Timer {
    let deadline: MonotonicTime
    fileprivate(set) var target: (any TimerTarget)?

    init(deadline: MonotonicTime, target: any TimerTarget) {
        (self.deadline, self.target) = (deadline, target)
    }
}

/// Timers ordered by deadline: a binary heap with lazy removal.
struct TimerHeap {
    private var heap: [Timer] = []
    private var cancelledCount = 0

    /// Timers that will still fire.
    var pendingCount: Int { heap.count - cancelledCount }

    /// Timers kept, with those cancelled and not yet dropped.
    var storedCount: Int { heap.count }

    /// The earliest deadline, possibly of a cancelled timer; nil when there is none.
    var next: MonotonicTime? { heap.first?.deadline }

    mutating func insert(_ timer: Timer) {
        heap.append(timer)
        siftUp(heap.count - 1)
    }

    mutating func cancel(_ timer: Timer) {
        guard timer.target != nil else { return }
        timer.target = nil
        cancelledCount += 1
        if cancelledCount > 1024, cancelledCount > heap.count / 2 { compact() }
    }

    /// Removes and returns the target of a timer that is due; nil when none is.
    mutating func popDue(_ now: MonotonicTime) -> (any TimerTarget)? {
        while let first = heap.first, first.deadline <= now {
            removeFirst()
            if let target = first.target {
                first.target = nil
                return target
            }
            cancelledCount -= 1
        }
        return nil
    }

    private mutating func compact() {
        heap.removeAll { $0.target == nil }
        heap.sort { $0.deadline < $1.deadline }
        cancelledCount = 0
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
