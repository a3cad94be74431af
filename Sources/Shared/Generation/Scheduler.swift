/// Decides which rows the next forward pass computes. A pure state machine: whoever owns it does
/// the arithmetic in between.
///
/// A sequence is admitted, in the order of submission, once all the pages it can ever need are
/// free; so what runs always runs to its end. A step takes one row of every sequence that is
/// writing its answer, and fills the rest of its budget with rows of prompts, oldest first.
package struct Scheduler: Sendable {
    package let limits: SchedulerLimits
    package private(set) var pages: PagePool
    /// Oldest first.
    private var running: [ScheduledSequence] = []
    /// Groups, oldest first.
    private var waiting: [SequenceGroup] = []
    private var submitted = 0

    package init(_ limits: SchedulerLimits) {
        self.limits = limits
        pages = PagePool(pages: limits.pages)
    }

    /// Whether nothing is left to do.
    package var isIdle: Bool { running.isEmpty && waiting.isEmpty }
    /// Sequences that have pages.
    package var sequencesRunning: Int { running.count }
    /// Sequences that wait for pages.
    package var sequencesWaiting: Int { waiting.reduce(0) { $0 + $1.samples } }

    /// Takes in sequences that begin with the same rows.
    /// - Parameters:
    ///   - promptRows: above 0
    ///   - tokensMax: how many tokens each may write, above 0
    ///   - samples: how many sequences
    /// - Returns: their names
    package mutating func submit(
        promptRows: Int, tokensMax: Int, samples: Int = 1
    ) throws(GenerationError) -> [SequenceID] {
        precondition(
            promptRows > 0 && tokensMax > 0 && samples > 0,
            "scheduler: \(samples) sequences of \(promptRows) rows and \(tokensMax) tokens")
        let group = SequenceGroup(
            ids: (0..<samples).map { SequenceID(submitted + $0) }, promptRows: promptRows,
            // The key of the last token is never needed.
            rowsMax: promptRows + tokensMax - 1, pageRows: limits.pageRows)
        guard samples <= limits.sequencesMax else {
            throw .tooManySamples(samples: samples, samplesMax: limits.sequencesMax)
        }
        guard group.pagesNeeded <= limits.pages else {
            throw .cacheTooSmall(
                rows: samples * group.rowsMax, rowsMax: limits.pages * limits.pageRows)
        }
        guard sequencesWaiting + samples <= limits.waitingMax else {
            throw .queueFull(waiting: sequencesWaiting, waitingMax: limits.waitingMax)
        }
        submitted += samples
        waiting.append(group)
        return group.ids
    }

    /// Plans a pass. `completeStep` must follow before the next one is planned.
    package mutating func planStep() -> StepPlan {
        admitWaiting()
        var plan = StepPlan()
        var budget = limits.rowsPerStepMax
        for isWriting in [true, false] {
            for sequence in running where sequence.isWriting == isWriting && budget > 0 {
                guard let slice = sequence.slice(atMost: budget, isReady(sequence)) else {
                    continue
                }
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
        for slice in plan.slices {
            guard let index = index(of: slice.sequence) else { continue }
            running[index].computed = slice.rows.upperBound
            if slice.isSampled { running[index].rows += 1 }
        }
        cancel(ended)
    }

    /// Ends sequences, wherever they are. Those that are not there are ignored.
    package mutating func cancel(_ ended: Set<SequenceID>) {
        for sequence in running where ended.contains(sequence.id) {
            pages.release(sequence.table.pages)
            passLead(of: sequence, ended)
        }
        running.removeAll { ended.contains($0.id) }
        for index in waiting.indices { waiting[index].ids.removeAll { ended.contains($0) } }
        waiting.removeAll { $0.ids.isEmpty }
    }

    private func index(of id: SequenceID) -> Int? { running.firstIndex { $0.id == id } }

    /// Whether the rows that a sequence shares have been computed.
    private func isReady(_ sequence: ScheduledSequence) -> Bool {
        guard let leader = sequence.leader, let index = index(of: leader.id) else { return true }
        return running[index].computed >= leader.rows
    }

    /// Lets another sequence compute what a cancelled one was to compute for all.
    private mutating func passLead(of sequence: ScheduledSequence, _ ended: Set<SequenceID>) {
        let followers = running.indices.filter {
            running[$0].leader?.id == sequence.id && !ended.contains(running[$0].id)
        }
        guard let first = followers.first, let shared = running[first].leader?.rows else { return }
        guard sequence.computed < shared else { return }
        running[first].computed = sequence.computed
        running[first].leader = nil
        let leader = running[first].id
        for index in followers.dropFirst() { running[index].leader?.id = leader }
    }

    private mutating func admitWaiting() {
        while let group = waiting.first, running.count + group.samples <= limits.sequencesMax,
            let own = pages.reserve(group.pagesNeeded)
        {
            waiting.removeFirst()
            let sequences = group.sequences(with: own)
            for one in sequences.dropFirst() {
                pages.share(one.table.pages.prefix(group.pagesShared))
            }
            running += sequences
        }
    }
}

/// What a scheduler has to share out.
package struct SchedulerLimits: Sendable, Hashable {
    /// Pages of the cache.
    package let pages: Int
    /// Rows of a page.
    package let pageRows: Int
    /// Rows of a pass.
    package let rowsPerStepMax: Int
    /// Sequences that run at once.
    package let sequencesMax: Int
    /// Sequences that wait.
    package let waitingMax: Int

    package init(
        pages: Int, pageRows: Int = 64, rowsPerStepMax: Int = 1024, sequencesMax: Int = 64,
        waitingMax: Int = 1024
    ) {
        precondition(
            pages > 0 && pageRows > 0 && sequencesMax > 0 && rowsPerStepMax >= sequencesMax
                && waitingMax > 0,
            "scheduler: \(pages) pages of \(pageRows) rows, \(rowsPerStepMax) rows a step for "
                + "\(sequencesMax) sequences, \(waitingMax) waiting")
        (self.pages, self.pageRows) = (pages, pageRows)
        (self.rowsPerStepMax, self.sequencesMax) = (rowsPerStepMax, sequencesMax)
        self.waitingMax = waitingMax
    }
}

/// A sequence that has its pages.
private struct ScheduledSequence: Sendable {
    let id: SequenceID
    let promptRows: Int
    let table: BlockTable
    /// The sequence that computes the first rows for this one, and how many.
    var leader: (id: SequenceID, rows: Int)?
    /// Rows whose keys and values are in the pages.
    var computed: Int
    /// Rows whose tokens are known.
    var rows: Int

    /// Whether the prompt is behind it.
    var isWriting: Bool { computed >= promptRows }

    func slice(atMost budget: Int, _ isReady: Bool) -> StepPlan.Slice? {
        precondition(
            computed < rows && rows <= table.pages.count * table.pageRows + 1,
            "sequence: \(computed) of \(rows) rows in \(table.pages.count) pages")
        guard isReady else { return nil }
        let end = min(computed + budget, rows)
        return StepPlan.Slice(
            sequence: id, rows: computed..<end, isSampled: end == rows, table: table)
    }
}

/// Sequences with the same prompt that have no pages yet. The first computes the whole prompt;
/// the others read its full pages and compute what comes after them.
private struct SequenceGroup: Sendable {
    var ids: [SequenceID]
    let promptRows: Int
    /// Rows that one sequence can ever have in pages.
    let rowsMax: Int
    let pageRows: Int

    var samples: Int { ids.count }
    /// Full pages before the last row of the prompt, which each sequence computes for itself.
    var pagesShared: Int { samples > 1 ? (promptRows - 1) / pageRows : 0 }
    private var pagesEach: Int { BlockTable.pages(forRows: rowsMax, pageRows: pageRows) }
    var pagesNeeded: Int { pagesShared + samples * (pagesEach - pagesShared) }

    /// - Parameter own: as many pages as are needed
    func sequences(with own: [Int32]) -> [ScheduledSequence] {
        let (shared, length) = (own.prefix(pagesShared), pagesEach - pagesShared)
        return ids.enumerated().map { index, id in
            let start = pagesShared + index * length
            let isLeader = index == 0
            return ScheduledSequence(
                id: id, promptRows: promptRows,
                table: BlockTable(
                    pages: Array(shared) + own[start..<start + length], pageRows: pageRows),
                leader: isLeader ? nil : (ids[0], pagesShared * pageRows),
                computed: isLeader ? 0 : pagesShared * pageRows, rows: promptRows)
        }
    }
}
