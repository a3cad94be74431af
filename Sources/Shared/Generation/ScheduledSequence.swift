/// A sequence from its submission to its end, with pages or waiting for them.
struct ScheduledSequence: Sendable {
    let id: SequenceID
    /// Sequences with the same number begin with the same prompt.
    let group: Int
    let promptRows: Int
    let terms: SequenceTerms
    /// By which its pages are known to the prefix cache; nil if they are not to be.
    let owner: String?
    /// The step of its submission.
    let arrival: Int
    var table: BlockTable
    /// Rows whose keys and values are in the pages.
    var computed = 0
    /// Rows whose tokens are known.
    var rows: Int
    /// Pages that the prefix cache knows, and the last one's node.
    var pagesKnown = 0
    var node: Int?
    /// Whether it had pages before.
    var isPreempted = false

    /// Full pages before the last row of the prompt, which each sequence computes for itself.
    var pagesShareable: Int {
        let full = (promptRows - 1) / table.pageRows
        return terms.contents.isEmpty ? full : min(full, terms.contents.count)
    }

    /// Whether the next row is one that decides on a token of the answer, all others behind it.
    var isWriting: Bool { computed >= promptRows && rows - computed == 1 }

    /// How many pages are missing for all known rows.
    var pagesMissing: Int {
        max(0, BlockTable.pages(forRows: rows, pageRows: table.pageRows) - table.pages.count)
    }

    /// What a page of the prompt holds.
    func content(_ page: Int) -> PageContent {
        terms.contents.isEmpty ? PageContent(ids: []) : terms.contents[page]
    }

    func slice(atMost budget: Int) -> StepPlan.Slice {
        precondition(
            computed < rows && rows <= table.pages.count * table.pageRows,
            "sequence: \(computed) of \(rows) rows in \(table.pages.count) pages")
        let end = min(computed + budget, rows)
        return StepPlan.Slice(
            sequence: id, rows: computed..<end, isSampled: end == rows, table: table)
    }
}
