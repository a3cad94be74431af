import Generation
import Testing

/// Random workloads with no model behind them: tenants, adapters, priorities, prompts that begin
/// alike, answers that stop early and callers who leave.
struct SchedulerSimulationTests {
    @Test(arguments: 0..<10)
    func tenThousandWorkloadsEndInTimeAndGiveEveryPageBack(part: Int) throws {
        var counts = SchedulerCounts()
        for seed in part * 1_000..<(part + 1) * 1_000 {
            var workload = SimulatedWorkload(seed: UInt64(seed))
            let fault = try workload.run()
            try #require(fault == nil, "seed \(seed): \(fault ?? "")")
            counts.preemptions += workload.scheduler.counts.preemptions
            counts.prefixRowsFound += workload.scheduler.counts.prefixRowsFound
        }
        #expect(counts.preemptions > 0 && counts.prefixRowsFound > 0)
    }
}

/// A workload that a seed repeats.
private struct SimulatedWorkload {
    private struct Asked {
        let prompt, tokens, stop, arrival, stepsMax: Int
        var written = 0
    }

    private var random: Seeded
    private(set) var scheduler: Scheduler
    private var asked: [SequenceID: Asked] = [:]
    private let requests: Int

    init(seed: UInt64) {
        random = Seeded(state: seed &* 0x9e37_79b9_7f4a_7c15 &+ 1)
        let sequences = Int.random(in: 1...5, using: &random)
        scheduler = Scheduler(
            SchedulerLimits(
                pages: Int.random(in: 10...24, using: &random), pageRows: 4,
                rowsPerStepMax: sequences + Int.random(in: 0...20, using: &random),
                sequencesMax: sequences, waitingMax: 100,
                patienceSteps: Int.random(in: 1...40, using: &random)))
        requests = Int.random(in: 3...9, using: &random)
    }

    /// - Returns: what went wrong; nil if nothing did
    mutating func run() throws -> String? {
        var submitted = 0
        for step in 0..<5_000 {
            while submitted < requests, Int.random(in: 0..<2, using: &random) == 0 {
                try submit(step)
                submitted += 1
            }
            if scheduler.isIdle && submitted == requests { return end() }
            let plan = scheduler.planStep()
            if let fault = check(plan, step) { return fault }
            scheduler.completeStep(plan, ended: ended(plan))
        }
        return "does not end"
    }

    private mutating func submit(_ step: Int) throws {
        let prompt = Int.random(in: 1...24, using: &random)
        let tokens = Int.random(in: 1...12, using: &random)
        let samples = Int.random(in: 1...min(2, scheduler.limits.sequencesMax), using: &random)
        let kind = Int32.random(in: 0..<3, using: &random)
        let contents = (0..<(prompt - 1) / 4).map { page in
            PageContent(ids: Array(repeating: page < 2 ? 0 : kind, count: 4))
        }
        let terms = SequenceTerms(
            tenant: "\(Int.random(in: 0..<2, using: &random))",
            adapter: "\(Int.random(in: 0..<2, using: &random))",
            priority: Int.random(in: -1...1, using: &random), contents: kind == 0 ? [] : contents)
        let ids = try scheduler.submit(
            promptRows: prompt, tokensMax: tokens, samples: samples, terms)
        // Alone, a sequence takes no more steps than it has rows. Once it is late it waits for
        // those before it, and for as many after it as run by then: these keep their places.
        let before = asked.values.reduce(0) { $0 + $1.prompt + $1.tokens }
        let after = scheduler.limits.sequencesMax * (24 + 12)
        let own = samples * (prompt + tokens)
        let stepsMax = scheduler.limits.patienceSteps + before + after + own + 1
        for id in ids {
            asked[id] = Asked(
                prompt: prompt, tokens: tokens,
                stop: Int.random(in: 1...tokens, using: &random), arrival: step,
                stepsMax: stepsMax)
        }
    }

    private mutating func ended(_ plan: StepPlan) -> Set<SequenceID> {
        var ended: Set<SequenceID> = []
        for slice in plan.slices where slice.isSampled {
            asked[slice.sequence]?.written += 1
            guard let one = asked[slice.sequence] else { continue }
            if one.written == one.stop { ended.insert(slice.sequence) }
        }
        if Int.random(in: 0..<40, using: &random) == 0,
            let any = asked.keys.min(by: { $0.number < $1.number })
        {
            ended.insert(any)
        }
        for id in ended { asked[id] = nil }
        return ended
    }

    private func check(_ plan: StepPlan, _ step: Int) -> String? {
        let limits = scheduler.limits
        if plan.rows > limits.rowsPerStepMax || plan.slices.count > limits.sequencesMax {
            return "step \(step): \(plan.rows) rows of \(plan.slices.count) sequences"
        }
        if plan.rows == 0 && !scheduler.isIdle { return "step \(step): nothing is computed" }
        var slots: Set<Int32> = []
        for slice in plan.slices {
            guard let one = asked[slice.sequence] else { return "step \(step): an ended sequence" }
            if slice.isSampled != (slice.rows.upperBound == one.prompt + one.written) {
                return "step \(step): \(slice.rows) of \(one)"
            }
            for row in slice.rows where !slots.insert(slice.table.slot(row)).inserted {
                return "step \(step): two sequences write to one place"
            }
        }
        let late = asked.values.first { step - $0.arrival > $0.stepsMax }
        return late.map { "step \(step): \($0) is still there" }
    }

    private func end() -> String? {
        let isHome = scheduler.pages.pagesFree + scheduler.pagesCached == scheduler.limits.pages
        return isHome && asked.isEmpty ? nil : "\(scheduler.pages.pagesUsed) pages are used"
    }
}
