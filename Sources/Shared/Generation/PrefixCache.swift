/// What a full page of a prompt holds: equal contents after equal pages have equal keys and values.
package struct PageContent: Sendable, Hashable {
    /// Rows of an image that stand in a page.
    package struct ImagePart: Sendable, Hashable {
        /// What tells the image from others: its digest.
        package let name: String
        /// The first of its rows that is here.
        package let firstRow: Int
        /// Where that is in the page.
        package let place: Int

        package init(name: String, firstRow: Int, place: Int) {
            (self.name, self.firstRow, self.place) = (name, firstRow, place)
        }
    }

    /// Tokens, one for each row.
    package let ids: [Int32]
    package let images: [ImagePart]

    package init(ids: [Int32], images: [ImagePart] = []) { (self.ids, self.images) = (ids, images) }
}

/// Pages that were computed for one prompt and wait for another that begins with the same rows.
///
/// A tree: a page is known by the page before it and by its own content, which are compared as they
/// are and not by a hash, so that no two prompts can be taken for each other. The first pages
/// are known by their owner too: an adapter's digest, since other weights make other keys. The
/// cache is one reader of each of its pages in the pool; a page goes only after all that follow
/// it, the one that was not used for the longest time first.
package struct PrefixCache: Sendable {
    private struct Key: Hashable, Sendable {
        /// The node before; nil for a first page.
        let parent: Int?
        let owner: String
        let content: PageContent
    }

    private struct Node: Sendable {
        let key: Key
        let page: Int32
        var lastUse: Int
        var children = 0
    }

    private var numbers: [Key: Int] = [:]
    private var nodes: [Int: Node] = [:]
    private var numbersGiven = 0
    private var uses = 0

    package init() {}

    /// Pages in the cache.
    package var pageCount: Int { nodes.count }

    /// How many pages only the cache still reads.
    package func pagesUnused(_ pool: PagePool) -> Int {
        nodes.values.reduce(0) { $0 + (pool.readers(of: $1.page) == 1 ? 1 : 0) }
    }

    /// The pages that a prompt begins with, as far as they are known.
    /// - Returns: the pages, and the node of the last
    package mutating func match(
        _ contents: some Sequence<PageContent>, owner: String
    ) -> (pages: [Int32], node: Int?) {
        uses += 1
        var (pages, parent) = ([Int32](), Int?.none)
        for content in contents {
            let key = Key(parent: parent, owner: owner, content: content)
            guard let number = numbers[key], let node = nodes[number] else { break }
            nodes[number]?.lastUse = uses
            pages.append(node.page)
            parent = number
        }
        return (pages, parent)
    }

    /// Takes in a page that has been computed.
    /// - Returns: its node, and the page that the cache has for it: another one if the same content
    ///   was there before
    package mutating func insert(
        _ page: Int32, _ content: PageContent, after parent: Int?, owner: String
    ) -> (node: Int, page: Int32) {
        uses += 1
        let key = Key(parent: parent, owner: owner, content: content)
        if let number = numbers[key], let node = nodes[number] {
            nodes[number]?.lastUse = uses
            return (number, node.page)
        }
        numbersGiven += 1
        numbers[key] = numbersGiven
        nodes[numbersGiven] = Node(key: key, page: page, lastUse: uses)
        if let parent { nodes[parent]?.children += 1 }
        return (numbersGiven, page)
    }

    /// Gives up the page that was not used for the longest time and that no sequence reads.
    /// - Returns: nil if there is none
    package mutating func removeOldest(_ pool: PagePool) -> Int32? {
        let oldest = nodes.min { left, right in
            let (a, b) = (isRemovable(left.value, pool), isRemovable(right.value, pool))
            guard a && b else { return a && !b }
            return (left.value.lastUse, left.key) < (right.value.lastUse, right.key)
        }
        guard let (number, node) = oldest, isRemovable(node, pool) else { return nil }
        remove(number, node)
        return node.page
    }

    /// Gives up all pages of an owner. Sequences that read them keep them.
    package mutating func removeAll(of owner: String) -> [Int32] {
        let own = nodes.filter { $0.value.key.owner == owner }
        for (number, node) in own { remove(number, node) }
        return own.map(\.value.page)
    }

    private func isRemovable(_ node: Node, _ pool: PagePool) -> Bool {
        node.children == 0 && pool.readers(of: node.page) == 1
    }

    private mutating func remove(_ number: Int, _ node: Node) {
        nodes[number] = nil
        numbers[node.key] = nil
        if let parent = node.key.parent { nodes[parent]?.children -= 1 }
    }
}
