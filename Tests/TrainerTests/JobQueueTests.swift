import Messages
import TestSupport
import Testing

@testable import TrainerService

struct JobQueueTests {
    private static func entry(
        _ job: Int64, _ author: String, isInterrupted: Bool = false
    ) -> JobQueue.Entry {
        JobQueue.Entry(
            job: job, author: author, queuedNanoseconds: job, isInterrupted: isInterrupted)
    }

    @Test func peopleTakeTurns() {
        let queue = JobQueue(
            [Self.entry(1, "a"), Self.entry(2, "a"), Self.entry(3, "a"), Self.entry(4, "b")],
            served: [:])
        #expect(queue.order == [1, 4, 2, 3])
        #expect(queue.position(of: 4) == 2)
        #expect(queue.position(of: 9) == 0)
    }

    @Test func whoWasServedLongestAgoIsNext() {
        let queue = JobQueue(
            [Self.entry(1, "a"), Self.entry(2, "b"), Self.entry(3, "c"), Self.entry(4, "b")],
            served: ["a": 30, "b": 20])
        #expect(queue.order == [3, 2, 1, 4])
    }

    @Test func interruptedJobsComeFirst() {
        let queue = JobQueue(
            [Self.entry(1, "a"), Self.entry(2, "b", isInterrupted: true)], served: ["b": 50])
        #expect(queue.order == [2, 1])
    }

    @Test(arguments: UInt64(0)..<50)
    func everyJobIsInTheOrderOnce(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let entries = (0..<Int64(Int.random(in: 0..<40, using: &random))).map { job in
            Self.entry(
                job, "p\(Int.random(in: 0..<4, using: &random))",
                isInterrupted: Int.random(in: 0..<5, using: &random) == 0)
        }
        let served = Dictionary(
            uniqueKeysWithValues: (0..<Int.random(in: 0..<4, using: &random)).map {
                ("p\($0)", Int64(Int.random(in: 0..<100, using: &random)))
            })
        let order = JobQueue(entries.shuffled(using: &random), served: served).order
        #expect(order.sorted() == entries.map(\.job))
        // Between two jobs of one person, everybody else who waits gets a turn.
        let waiting = order.compactMap { job in entries.first { $0.job == job } }
            .filter { !$0.isInterrupted }
        for (index, entry) in waiting.enumerated() {
            guard
                let next = waiting[(index + 1)...].firstIndex(where: { $0.author == entry.author })
            else { continue }
            let between = Set(waiting[(index + 1)..<next].map(\.author))
            let later = Set(waiting[next...].map(\.author)).subtracting([entry.author])
            #expect(later.isSubset(of: between), "seed \(seed)")
        }
    }

    @Test func endedJobsStayEndedUnlessTheyFailed() {
        for old in JobLife.ended {
            let next = JobState.allKnown.filter { JobLife.mayMove(from: old, to: $0) }
            #expect(next == (old == .failed ? [.queued] : []))
        }
    }

    @Test func pastStepsAreEvenlyChosenAndEndWithTheLast() {
        for (count, max) in [(10, 3), (1_000, 7), (5, 5), (3, 10), (8, 1)] {
            let steps = PastSteps(count: count, max: max)
            let chosen = (1...count).filter { steps.isChosen($0) }
            #expect(chosen.count == min(count, max))
            #expect(chosen.last == count)
            let gaps = Set(zip(chosen.dropFirst(), chosen).map { $0 - $1 })
            #expect((gaps.max() ?? 0) - (gaps.min() ?? 0) <= 1)
        }
    }
}
