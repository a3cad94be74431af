/// Which pages of a key-value cache are free, and how many sequences read each of the others.
///
/// A page's life: it is *reserved* by one sequence, which alone writes to it; others that begin
/// with the same rows *share* it once those are written; each *releases* it when it ends, and with
/// the last one the page is free again. A reservation takes all the pages it asks for or none, so
/// nobody waits for the rest while holding a part. At the entry and the exit of every change, free
/// pages and used pages are all pages.
package struct PagePool: Sendable {
    /// All pages.
    package let pagesMax: Int
    /// Pages that some sequence has.
    package private(set) var pagesUsed = 0
    /// The one that is taken next is last.
    private var free: [Int32]
    /// How many sequences have each page.
    private var readers: [Int32]

    /// - Parameter pages: above 0
    package init(pages: Int) {
        precondition(pages > 0 && pages <= Int(Int32.max), "page pool: \(pages) pages")
        pagesMax = pages
        free = (0..<Int32(pages)).reversed()
        readers = Array(repeating: 0, count: pages)
    }

    /// Pages that nobody has.
    package var pagesFree: Int { free.count }

    /// How many sequences and caches have a page.
    package func readers(of page: Int32) -> Int { Int(readers[Int(page)]) }

    /// Takes pages for one sequence.
    /// - Parameter count: 0 or more
    /// - Returns: nil, and nothing is taken, if fewer are free
    package mutating func reserve(_ count: Int) -> [Int32]? {
        check()
        defer { check() }
        precondition(count >= 0, "page pool: \(count) pages asked for")
        guard count <= free.count else { return nil }
        let taken = Array(free.suffix(count).reversed())
        free.removeLast(count)
        for page in taken { readers[Int(page)] = 1 }
        pagesUsed += count
        return taken
    }

    /// Gives pages to one more sequence.
    /// - Parameter pages: used ones
    package mutating func share(_ pages: some Sequence<Int32>) {
        check()
        for page in pages {
            precondition(readers[Int(page)] > 0, "page pool: page \(page) is shared, but free")
            readers[Int(page)] += 1
        }
    }

    /// Takes pages back from a sequence.
    /// - Parameter pages: each as often as the sequence was given it
    package mutating func release(_ pages: some Sequence<Int32>) {
        check()
        for page in pages {
            precondition(readers[Int(page)] > 0, "page pool: page \(page) is released twice")
            readers[Int(page)] -= 1
            guard readers[Int(page)] == 0 else { continue }
            free.append(page)
            pagesUsed -= 1
        }
        check()
    }

    private func check() {
        precondition(
            free.count + pagesUsed == pagesMax,
            "page pool: \(free.count) free and \(pagesUsed) used pages of \(pagesMax)")
    }
}

/// The pages of one sequence, in order: row r is in page `r / pageRows`.
package struct BlockTable: Sendable, Hashable {
    /// By number in the pool.
    package var pages: [Int32]
    /// Rows of a page.
    package let pageRows: Int

    package init(pages: [Int32] = [], pageRows: Int) {
        precondition(pageRows > 0, "block table: pages of \(pageRows) rows")
        (self.pages, self.pageRows) = (pages, pageRows)
    }

    /// How many pages hold some rows.
    package static func pages(forRows rows: Int, pageRows: Int) -> Int {
        (rows + pageRows - 1) / pageRows
    }

    /// The pages that the first rows are in.
    package func pages(forRows rows: Int) -> [Int32] {
        Array(pages.prefix(BlockTable.pages(forRows: rows, pageRows: pageRows)))
    }

    /// Where a row is among the rows of all pages.
    package func slot(_ row: Int) -> Int32 {
        pages[row / pageRows] * Int32(pageRows) + Int32(row % pageRows)
    }
}
