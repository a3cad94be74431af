/// Decides which rows the next forward pass computes. A pure state machine: whoever owns it does
/// the arithmetic in between.
///
/// A step takes one row of every sequence that is writing its answer, and fills the rest of its
/// budget with rows of prompts, oldest first. A sequence is admitted once the pages of its known
/// rows are free, and gets more as it grows. If none is left, pages of the prefix cache go first;
/// then the youngest sequence gives all of its pages back, and is computed again later.
///
/// Who is admitted next: first those that have waited longer than the patience, oldest first; then
/// the tenant that had least; of its sequences those of higher priority, and then those of the
/// adapter that had least. The oldest is never preempted, and fits the cache alone; so every
/// sequence ends.
package struct Scheduler: Sendable {
    package let limits: SchedulerLimits
    package private(set) var pages: PagePool
    package private(set) var counts = SchedulerCounts()
    private var prefixes = PrefixCache()
    /// In the order of their admission.
    private var running: [ScheduledSequence] = []
    /// In the order of their submission.
    private var waiting: [ScheduledSequence] = []
    /// Sequences of each group that have not ended, and whether the pages they share were computed.
    private var groups: [Int: (ids: [SequenceID], isRead: Bool)] = [:]
    private var tenants = FairShare<String>()
    private var lanes = FairShare<[String]>()
    private var submitted = 0
    private var steps = 0

    package init(_ limits: SchedulerLimits) {
        self.limits = limits
        pages = PagePool(pages: limits.pages)
    }

    /// Whether nothing is left to do.
    package var isIdle: Bool { running.isEmpty && waiting.isEmpty }
    /// Sequences that have pages.
    package var sequencesRunning: Int { running.count }
    /// Sequences that wait for pages.
    package var sequencesWaiting: Int { waiting.count }
    /// Pages that hold prompts which no sequence reads now; they are free for who needs them.
    package var pagesCached: Int { prefixes.pagesUnused(pages) }

    /// Takes in sequences that begin with the same rows.
    /// - Parameters:
    ///   - promptRows: above 0
    ///   - tokensMax: how many tokens each may write, above 0
    ///   - samples: how many sequences
    /// - Returns: their names
    package mutating func submit(
        promptRows: Int, tokensMax: Int, samples: Int = 1, _ terms: SequenceTerms = SequenceTerms()
    ) throws(GenerationError) -> [SequenceID] {
        precondition(
            promptRows > 0 && tokensMax > 0 && samples > 0,
            "scheduler: \(samples) sequences of \(promptRows) rows and \(tokensMax) tokens")
        guard samples <= limits.sequencesMax else {
            throw .tooManySamples(samples: samples, samplesMax: limits.sequencesMax)
        }
        // The key of the last token is never needed.
        let rowsMax = promptRows + tokensMax - 1
        guard BlockTable.pages(forRows: rowsMax, pageRows: limits.pageRows) <= limits.pages else {
            throw .cacheTooSmall(rows: rowsMax, rowsMax: limits.pages * limits.pageRows)
        }
        guard sequencesWaiting + samples <= limits.waitingMax else {
            throw .queueFull(waiting: sequencesWaiting, waitingMax: limits.waitingMax)
        }
        let ids = (0..<samples).map { SequenceID(submitted + $0) }
        let group = submitted
        let isShared = samples > 1 || !terms.contents.isEmpty
        // No digest of an adapter begins so.
        let own = terms.contents.isEmpty ? "group \(group)" : terms.adapter
        for id in ids {
            waiting.append(
                ScheduledSequence(
                    id: id, group: group, promptRows: promptRows, terms: terms,
                    owner: isShared ? own : nil, arrival: steps,
                    table: BlockTable(pageRows: limits.pageRows), rows: promptRows))
            tenants.enter(terms.tenant)
            lanes.enter(Self.lane(terms))
        }
        groups[group] = (ids, false)
        submitted += samples
        return ids
    }

    /// Plans a pass. `completeStep` must follow before the next one is planned.
    package mutating func planStep() -> StepPlan {
        steps += 1
        growRunning()
        admitWaiting()
        var plan = StepPlan()
        var budget = limits.rowsPerStepMax
        for isWriting in [true, false] {
            for sequence in running where sequence.isWriting == isWriting && budget > 0 {
                let slice = sequence.slice(atMost: budget)
                plan.slices.append(slice)
                budget -= slice.rows.count
            }
        }
        return plan
    }

    /// Takes in what a pass did.
    /// - Parameters:
    ///   - plan: the one that was planned last
    ///   - ended: sequences that have written their last token, or are no longer wanted
    package mutating func completeStep(_ plan: StepPlan, ended: Set<SequenceID>) {
        let places = Dictionary(
            uniqueKeysWithValues: running.enumerated().map { ($1.id, $0) })
        for slice in plan.slices {
            guard let index = places[slice.sequence] else { continue }
            running[index].computed = slice.rows.upperBound
            if slice.isSampled {
                running[index].rows += 1
                charge(running[index].terms, 1)
            }
            shareComputed(index)
        }
        cancel(ended)
    }

    /// Ends sequences, wherever they are. Those that are not there are ignored.
    package mutating func cancel(_ ended: Set<SequenceID>) {
        guard !ended.isEmpty else { return }
        for sequence in running + waiting where ended.contains(sequence.id) {
            pages.release(sequence.table.pages)
            tenants.leave(sequence.terms.tenant)
            lanes.leave(Self.lane(sequence.terms))
            leaveGroup(sequence)
        }
        running.removeAll { ended.contains($0.id) }
        waiting.removeAll { ended.contains($0.id) }
    }

    private static func lane(_ terms: SequenceTerms) -> [String] { [terms.tenant, terms.adapter] }

    private mutating func charge(_ terms: SequenceTerms, _ rows: Int) {
        tenants.charge(terms.tenant, rows)
        lanes.charge(Self.lane(terms), rows)
    }

    private mutating func leaveGroup(_ sequence: ScheduledSequence) {
        groups[sequence.group]?.ids.removeAll { $0 == sequence.id }
        guard groups[sequence.group]?.ids.isEmpty == true else { return }
        groups[sequence.group] = nil
        // What only this group could read.
        guard sequence.terms.contents.isEmpty, let owner = sequence.owner else { return }
        pages.release(prefixes.removeAll(of: owner))
    }

    /// Makes full pages of the prompt known to others. If the same page is known already, it is
    /// read from now on in place of the own one: both have the same bits.
    private mutating func shareComputed(_ index: Int) {
        let sequence = running[index]
        let count = min(sequence.pagesShareable, sequence.computed / limits.pageRows)
        guard let owner = sequence.owner else { return }
        for place in sequence.pagesKnown..<max(sequence.pagesKnown, count) {
            let own = running[index].table.pages[place]
            let (node, page) = prefixes.insert(
                own, sequence.content(place), after: running[index].node, owner: owner)
            // One reader more: the cache where the page is new, this sequence where it was known.
            pages.share([page])
            if page != own {
                running[index].table.pages[place] = page
                pages.release([own])
            }
            running[index].node = node
            running[index].pagesKnown = place + 1
        }
        if count == sequence.pagesShareable { groups[sequence.group]?.isRead = true }
    }
}

extension Scheduler {
    /// What sequences that write need for their next row. The youngest go without.
    private mutating func growRunning() {
        var order = running.indices.sorted { running[$0].id.number < running[$1].id.number }
        var preempted: Set<SequenceID> = []
        while let index = order.first {
            order.removeFirst()
            while running[index].pagesMissing > 0 {
                if let more = reserve(running[index].pagesMissing) {
                    running[index].table.pages += more
                    break
                }
                let victim = order.popLast() ?? index
                preempted.insert(running[victim].id)
                preempt(victim)
                if victim == index { break }
            }
        }
        running.removeAll { preempted.contains($0.id) }
    }

    private mutating func preempt(_ index: Int) {
        var sequence = running[index]
        pages.release(sequence.table.pages)
        sequence.table.pages = []
        (sequence.computed, sequence.pagesKnown, sequence.node) = (0, 0, nil)
        sequence.isPreempted = true
        running[index] = sequence
        waiting.append(sequence)
        counts.preemptions += 1
    }

    /// Takes pages, those of unused prompts if there are no others.
    private mutating func reserve(_ count: Int) -> [Int32]? {
        if pages.pagesFree < count {
            guard pages.pagesFree + prefixes.pagesUnused(pages) >= count else { return nil }
            while pages.pagesFree < count, let page = prefixes.removeOldest(pages) {
                pages.release([page])
            }
        }
        return pages.reserve(count)
    }

    /// Admits one after the other; nobody passes one that does not fit yet.
    private mutating func admitWaiting() {
        while running.count < limits.sequencesMax, let index = next(), admit(index) {}
    }

    private func next() -> Int? {
        waiting.indices.filter { mayBegin(waiting[$0]) }
            .min { isNext(waiting[$0], waiting[$1]) }
    }

    /// One sequence reads the prompt for all with the same.
    private func mayBegin(_ sequence: ScheduledSequence) -> Bool {
        guard let group = groups[sequence.group] else { return true }
        return group.isRead || group.ids.first == sequence.id
    }

    private mutating func admit(_ index: Int) -> Bool {
        var sequence = waiting[index]
        if let owner = sequence.owner {
            let contents = (0..<sequence.pagesShareable).lazy.map { sequence.content($0) }
            let (known, node) = prefixes.match(Array(contents), owner: owner)
            // Before anything is reserved, so that it stays.
            pages.share(known)
            (sequence.table.pages, sequence.node) = (known, node)
            (sequence.pagesKnown, sequence.computed) = (known.count, known.count * limits.pageRows)
        }
        // Each running one may need a page soon.
        let spare = running.count
        let missing = sequence.pagesMissing
        let isRoom = pages.pagesFree + prefixes.pagesUnused(pages) >= missing + spare
        guard isRoom, let own = reserve(missing) else {
            pages.release(sequence.table.pages)
            return false
        }
        sequence.table.pages += own
        if !sequence.isPreempted {
            counts.prefixRowsAsked += sequence.owner == nil ? 0 : sequence.promptRows
            counts.prefixRowsFound += sequence.computed
            charge(sequence.terms, sequence.promptRows - sequence.computed)
        }
        waiting.remove(at: index)
        running.append(sequence)
        return true
    }

    private func isLate(_ sequence: ScheduledSequence) -> Bool {
        steps - sequence.arrival > limits.patienceSteps
    }

    /// Whether one is to be admitted rather than another.
    private func isNext(_ a: ScheduledSequence, _ b: ScheduledSequence) -> Bool {
        if isLate(a) || isLate(b) {
            return isLate(a) && isLate(b) ? a.id.number < b.id.number : isLate(a)
        }
        guard a.terms.tenant == b.terms.tenant else {
            let (had, hadB) = (tenants.served(a.terms.tenant), tenants.served(b.terms.tenant))
            return (had, a.terms.tenant) < (hadB, b.terms.tenant)
        }
        if a.terms.priority != b.terms.priority { return a.terms.priority > b.terms.priority }
        let (laneA, laneB) = (lanes.served(Self.lane(a.terms)), lanes.served(Self.lane(b.terms)))
        if laneA != laneB { return laneA < laneB }
        return a.id.number < b.id.number
    }
}
