import Base
import Testing

@testable import RPC

@Suite struct TimerHeapTests {
    final class Target: TimerTarget {
        func timerFired() {}
    }

    @Test func timersFireInOrderWhateverTheOrderTheyCameIn() {
        var heap = TimerHeap()
        var targets: [UInt64: Target] = [:]
        for deadline in [50, 10, 40, 20, 30, 60] as [UInt64] {
            let target = Target()
            targets[deadline] = target
            heap.insert(Timer(deadline: MonotonicTime(nanoseconds: deadline), target: target))
        }
        for deadline in [10, 20, 30] as [UInt64] {
            let due = heap.popDue(MonotonicTime(nanoseconds: 30))
            #expect(due === targets[deadline])
        }
        #expect(heap.popDue(MonotonicTime(nanoseconds: 30)) == nil)
        #expect(heap.pendingCount == 3)
    }

    @Test func cancelledTimersDoNotPileUp() {
        var heap = TimerHeap()
        for index in 0..<100_000 as Range<UInt64> {
            let timer = Timer(deadline: MonotonicTime(nanoseconds: 1_000_000 + index), target: Target())
            heap.insert(timer)
            heap.cancel(timer)
        }
        #expect(heap.pendingCount == 0)
        #expect(heap.storedCount < 3000)
    }
}
