import Generation
import Testing

/// Random numbers that a seed repeats.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

struct SchedulerTests {
    private let limits = SchedulerLimits(
        pages: 40, pageRows: 4, rowsPerStepMax: 16, sequencesMax: 6, waitingMax: 100)

    /// Replays random workloads with no model behind them.
    @Test(arguments: UInt64(0)..<200)
    func everySequenceEndsAndEveryPageComesHome(seed: UInt64) throws {
        var random = Seeded(state: seed &* 0x9e37_79b9)
        var scheduler = Scheduler(limits)
        var left: [SequenceID: (prompt: Int, tokens: Int, done: Int)] = [:]
        for step in 0..<2_000 {
            if step < 30 {
                let (prompt, tokens) = (
                    Int.random(in: 1...60, using: &random), Int.random(in: 1...9, using: &random)
                )
                let samples = Int.random(in: 1...2, using: &random)
                for id in try scheduler.submit(
                    promptRows: prompt, tokensMax: tokens, samples: samples)
                {
                    left[id] = (prompt, tokens, 0)
                }
            } else if scheduler.isIdle {
                break
            }
            let plan = scheduler.planStep()
            #expect(plan.rows > 0 && plan.rows <= limits.rowsPerStepMax)
            var ended: Set<SequenceID> = []
            for slice in plan.slices where slice.isSampled {
                let one = try #require(left[slice.sequence])
                #expect(slice.rows.upperBound == one.prompt + one.done)
                left[slice.sequence]?.done += 1
                let stops = Int.random(in: 0..<20, using: &random) == 0
                if one.done + 1 == one.tokens || stops { ended.insert(slice.sequence) }
            }
            if Int.random(in: 0..<15, using: &random) == 0,
                let any = left.keys.min(by: {
                    $0.number < $1.number
                })
            {
                ended.insert(any)
            }
            scheduler.completeStep(plan, ended: ended)
            for id in ended { left[id] = nil }
        }
        #expect(scheduler.isIdle && left.isEmpty)
        #expect(scheduler.pages.pagesFree == limits.pages)
    }

    /// No two sequences write to one place, and rows before a slice were written.
    @Test(arguments: UInt64(0)..<50)
    func slicesReadWhatWasWritten(seed: UInt64) throws {
        var random = Seeded(state: seed &* 77 &+ 5)
        var scheduler = Scheduler(limits)
        var written: [Int32: Int] = [:]
        var left: [SequenceID: Int] = [:]
        for _ in 0..<8 {
            let tokens = Int.random(in: 1...5, using: &random)
            let ids = try scheduler.submit(
                promptRows: Int.random(in: 1...30, using: &random), tokensMax: tokens,
                samples: Int.random(in: 1...3, using: &random))
            for id in ids { left[id] = tokens }
        }
        while !scheduler.isIdle {
            let plan = scheduler.planStep()
            var slots: Set<Int32> = []
            for slice in plan.slices {
                for row in slice.rows {
                    #expect(slots.insert(slice.table.slot(row)).inserted)
                    written[slice.table.slot(row)] = row
                }
            }
            for slice in plan.slices {
                for row in 0..<slice.rows.upperBound {
                    #expect(written[slice.table.slot(row)] == row)
                }
                if slice.isSampled { left[slice.sequence]? -= 1 }
            }
            let ended = plan.slices.map(\.sequence).filter { left[$0] == 0 }
            scheduler.completeStep(plan, ended: Set(ended))
        }
        #expect(scheduler.pages.pagesUsed == 0)
    }

    @Test func answersAreWrittenWhileALongPromptIsRead() throws {
        var scheduler = Scheduler(limits)
        let short = try scheduler.submit(promptRows: 4, tokensMax: 20)[0]
        scheduler.completeStep(scheduler.planStep(), ended: [])
        let long = try scheduler.submit(promptRows: 60, tokensMax: 2)[0]
        for step in 0..<4 {
            let plan = scheduler.planStep()
            #expect(plan.slices.map(\.sequence) == [short, long])
            #expect(plan.slices[0].rows.count == 1)
            #expect(plan.slices[1].rows == step * 15..<step * 15 + 15)
            scheduler.completeStep(plan, ended: [])
        }
    }

    @Test func anotherSampleReadsThePromptWhenTheFirstIsCancelled() throws {
        var scheduler = Scheduler(limits)
        let ids = try scheduler.submit(promptRows: 30, tokensMax: 2, samples: 3)
        scheduler.completeStep(scheduler.planStep(), ended: [ids[0]])
        let plan = scheduler.planStep()
        #expect(plan.slices.map(\.sequence) == [ids[1]])
        #expect(plan.slices[0].rows == 16..<30)
        scheduler.completeStep(plan, ended: [])
        #expect(scheduler.planStep().slices.map(\.rows) == [30..<31, 28..<30])
    }

    @Test func aPromptBeginsWhereItLeavesTheOneBefore() throws {
        var scheduler = Scheduler(limits)
        func submit(_ ids: [Int32], _ adapter: String, image: String) throws -> SequenceID {
            let part = PageContent.ImagePart(name: image, firstRow: 0, place: 1)
            let contents = ids.map { PageContent(ids: [$0, 0, 0, 0], images: [part]) }
            return try scheduler.submit(
                promptRows: ids.count * 4 + 1, tokensMax: 1,
                SequenceTerms(adapter: adapter, contents: contents))[0]
        }
        func begin(_ ids: [Int32], _ adapter: String = "", image: String = "a") throws -> Int? {
            let id = try submit(ids, adapter, image: image)
            let plan = scheduler.planStep()
            scheduler.completeStep(plan, ended: [id])
            return plan.slices.first?.rows.lowerBound
        }
        #expect(try begin([1, 2, 3]) == 0)
        #expect(try begin([1, 2, 4]) == 8)
        #expect(try begin([2, 2, 3]) == 0)
        #expect(try begin([1, 2, 3], "other") == 0)
        #expect(try begin([1, 2, 3], image: "b") == 0)
        #expect(try begin([1, 2, 3]) == 12)
    }

    @Test func tenantsAndTheirAdaptersTakeTurns() throws {
        var scheduler = Scheduler(
            SchedulerLimits(pages: 40, pageRows: 4, rowsPerStepMax: 16, sequencesMax: 1))
        var names: [SequenceID: String] = [:]
        for name in ["aaaa", "aaaa", "aaaa", "abab", "bbbb"] {
            let terms = SequenceTerms(
                tenant: String(name.prefix(1)), adapter: String(name.suffix(2)))
            let id = try scheduler.submit(promptRows: 8, tokensMax: 1, terms)[0]
            names[id] = name
        }
        var order: [String] = []
        while !scheduler.isIdle {
            let plan = scheduler.planStep()
            order += plan.slices.compactMap { names[$0.sequence] }
            scheduler.completeStep(plan, ended: Set(plan.slices.map(\.sequence)))
        }
        #expect(order == ["aaaa", "bbbb", "abab", "aaaa", "aaaa"])
    }

    @Test func ofOneTenantHigherPriorityComesFirst() throws {
        var scheduler = Scheduler(
            SchedulerLimits(pages: 40, pageRows: 4, rowsPerStepMax: 16, sequencesMax: 1))
        let ids = try [("a", 0), ("a", 5), ("b", 0), ("a", 9)].map { tenant, priority in
            try scheduler.submit(
                promptRows: 8, tokensMax: 1, SequenceTerms(tenant: tenant, priority: priority))[0]
        }
        var order: [SequenceID] = []
        while !scheduler.isIdle {
            let plan = scheduler.planStep()
            order += plan.slices.map(\.sequence)
            scheduler.completeStep(plan, ended: Set(plan.slices.map(\.sequence)))
        }
        #expect(order == [ids[3], ids[2], ids[1], ids[0]])
    }

    @Test func theYoungestGivesItsPagesBackAndBeginsAgain() throws {
        var scheduler = Scheduler(
            SchedulerLimits(pages: 6, pageRows: 4, rowsPerStepMax: 16, sequencesMax: 3))
        let old = try scheduler.submit(promptRows: 7, tokensMax: 12)[0]
        scheduler.completeStep(scheduler.planStep(), ended: [])
        let young = try scheduler.submit(promptRows: 8, tokensMax: 12)[0]
        var (written, order) = ([old: 1, young: 0], [SequenceID]())
        while !scheduler.isIdle {
            let plan = scheduler.planStep()
            for slice in plan.slices where slice.isSampled { written[slice.sequence]? += 1 }
            let ended = plan.slices.map(\.sequence).filter { written[$0] == 12 }
            order += ended
            scheduler.completeStep(plan, ended: Set(ended))
        }
        #expect(order == [old, young])
        #expect(scheduler.counts.preemptions == 1)
        #expect(scheduler.pages.pagesFree == 6)
    }

    @Test func whatNeverFitsIsRefused() throws {
        var scheduler = Scheduler(limits)
        #expect(throws: GenerationError.cacheTooSmall(rows: 161, rowsMax: 160)) {
            try scheduler.submit(promptRows: 160, tokensMax: 2)
        }
        #expect(throws: GenerationError.tooManySamples(samples: 7, samplesMax: 6)) {
            try scheduler.submit(promptRows: 1, tokensMax: 1, samples: 7)
        }
        for _ in 0..<100 { _ = try scheduler.submit(promptRows: 1, tokensMax: 1) }
        #expect(throws: GenerationError.queueFull(waiting: 100, waitingMax: 100)) {
            try scheduler.submit(promptRows: 1, tokensMax: 1)
        }
    }
}

struct EncoderCacheTests {
    @Test func theImageThatWasNotUsedForTheLongestTimeGoes() {
        var cache = EncoderCache<Int>(rowsMax: 10)
        cache.keep(1, rows: 4, as: ["", "a"])
        cache.keep(2, rows: 4, as: ["", "b"])
        #expect(cache.value(["", "a"]) == 1)
        cache.keep(3, rows: 4, as: ["other", "a"])
        #expect(cache.value(["", "b"]) == nil)
        #expect(cache.value(["other", "a"]) == 3)
        cache.keep(4, rows: 11, as: ["", "c"])
        #expect(cache.value(["", "c"]) == nil)
        #expect((cache.rows, cache.asked, cache.found) == (8, 4, 2))
    }
}

struct PagePoolTests {
    @Test func aReservationTakesAllOrNothing() {
        var pool = PagePool(pages: 3)
        #expect(pool.reserve(2) == [0, 1])
        #expect(pool.reserve(2) == nil)
        #expect(pool.pagesFree == 1)
        #expect(pool.reserve(1) == [2])
        #expect(pool.reserve(0) == [])
    }

    @Test func aSharedPageIsFreeWithItsLastReader() {
        var pool = PagePool(pages: 2)
        let pages = pool.reserve(2) ?? []
        pool.share(pages.prefix(1))
        pool.release(pages)
        #expect(pool.pagesFree == 1)
        pool.release(pages.prefix(1))
        #expect(pool.pagesFree == 2 && pool.pagesUsed == 0)
    }

    @Test func rowsAreFoundInTheirPages() {
        let table = BlockTable(pages: [7, 3, 5], pageRows: 4)
        #expect([0, 3, 4, 11].map(table.slot) == [28, 31, 12, 23])
        #expect(table.pages(forRows: 5) == [7, 3])
    }
}
