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
    /// Steps after which a sequence comes before all that were submitted later, whatever their
    /// priority and whoever sent them.
    package let patienceSteps: Int

    package init(
        pages: Int, pageRows: Int = 64, rowsPerStepMax: Int = 1024, sequencesMax: Int = 64,
        waitingMax: Int = 1024, patienceSteps: Int = 1000
    ) {
        precondition(
            pages > 0 && pageRows > 0 && sequencesMax > 0 && rowsPerStepMax >= sequencesMax
                && waitingMax > 0 && patienceSteps > 0,
            "scheduler: \(pages) pages of \(pageRows) rows, \(rowsPerStepMax) rows a step for "
                + "\(sequencesMax) sequences, \(waitingMax) waiting, patience \(patienceSteps)")
        (self.pages, self.pageRows) = (pages, pageRows)
        (self.rowsPerStepMax, self.sequencesMax) = (rowsPerStepMax, sequencesMax)
        (self.waitingMax, self.patienceSteps) = (waitingMax, patienceSteps)
    }
}

/// For whom sequences are computed, and what others they can share pages with.
package struct SequenceTerms: Sendable, Hashable {
    /// Tenants get equal shares.
    package var tenant: String
    /// The digest of the adapter; empty for the base. Adapters of a tenant get equal shares, and
    /// pages are shared within one adapter.
    package var adapter: String
    /// Higher ones come first within a tenant.
    package var priority: Int
    /// Of the full pages of the prompt; empty if they are nobody else's business.
    package var contents: [PageContent]

    package init(
        tenant: String = "", adapter: String = "", priority: Int = 0, contents: [PageContent] = []
    ) {
        (self.tenant, self.adapter) = (tenant, adapter)
        (self.priority, self.contents) = (priority, contents)
    }
}

/// What a scheduler has counted since its beginning.
package struct SchedulerCounts: Sendable, Hashable {
    /// Sequences that lost their pages to others and were computed again.
    package var preemptions = 0
    /// Rows of prompts that were looked for among computed pages, and that were found there.
    package var prefixRowsAsked = 0
    package var prefixRowsFound = 0

    package init() {}
}
