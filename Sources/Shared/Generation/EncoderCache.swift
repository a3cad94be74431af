/// What images became, so that an image that comes again is not encoded again. It has a budget of
/// its own, in rows; what was not used for the longest time goes first. A pure value but for what
/// it holds.
package struct EncoderCache<Value> {
    private struct Entry {
        let value: Value
        let rows: Int
        var lastUse: Int
    }

    /// The most rows that are kept.
    package let rowsMax: Int
    /// Rows that are kept now.
    package private(set) var rows = 0
    /// Images that were asked for, and that were there.
    package private(set) var asked = 0
    package private(set) var found = 0
    private var entries: [[String]: Entry] = [:]
    private var uses = 0

    /// - Parameter rowsMax: 0 keeps nothing
    package init(rowsMax: Int) {
        precondition(rowsMax >= 0, "encoder cache: \(rowsMax) rows")
        self.rowsMax = rowsMax
    }

    /// What an image became.
    /// - Parameter name: of the image, and of the weights that it went through
    package mutating func value(_ name: [String]) -> Value? {
        uses += 1
        asked += 1
        guard let entry = entries[name] else { return nil }
        entries[name]?.lastUse = uses
        found += 1
        return entry.value
    }

    /// Keeps what an image became, if it is not larger than the whole budget.
    package mutating func keep(_ value: Value, rows count: Int, as name: [String]) {
        guard count <= rowsMax, entries[name] == nil else { return }
        uses += 1
        entries[name] = Entry(value: value, rows: count, lastUse: uses)
        rows += count
        while rows > rowsMax,
            let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            entries[oldest.key] = nil
            rows -= oldest.value.rows
        }
    }
}
