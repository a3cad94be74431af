/// Which of many things belong together; joining is all but constant in time.
struct DisjointSets {
    private var parents: [Int32] = []

    init(count: Int = 0) { parents = (0..<Int32(count)).map { $0 } }

    var count: Int { parents.count }

    mutating func reserve(_ count: Int) { parents.reserveCapacity(count) }

    /// Adds a thing that is alone.
    mutating func append() { parents.append(Int32(parents.count)) }

    /// The first thing of the set that `item` is in.
    mutating func first(_ item: Int) -> Int {
        var item = item
        while Int(parents[item]) != item {
            // Halving the path keeps later walks short.
            parents[item] = parents[Int(parents[item])]
            item = Int(parents[item])
        }
        return item
    }

    mutating func join(_ a: Int, _ b: Int) {
        let (first, second) = (self.first(a), self.first(b))
        if first != second { parents[max(first, second)] = Int32(min(first, second)) }
    }
}
