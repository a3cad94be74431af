/// Who has been served how much: those who had least come next. Pure numbers.
///
/// Who comes new, or back, begins where the least served of those present is; so nobody saves up
/// a claim while away, and nobody pays for what was served before they came.
struct FairShare<Name: Hashable & Sendable>: Sendable {
    private var rows: [Name: Int] = [:]
    private var present: [Name: Int] = [:]

    /// Rows computed for a name that is present.
    func served(_ name: Name) -> Int { rows[name] ?? 0 }

    /// Counts one more sequence of a name.
    mutating func enter(_ name: Name) {
        if present[name] == nil { rows[name] = rows.values.min() ?? 0 }
        present[name, default: 0] += 1
    }

    /// Counts one sequence less.
    mutating func leave(_ name: Name) {
        let left = (present[name] ?? 1) - 1
        present[name] = left > 0 ? left : nil
        if left <= 0 { rows[name] = nil }
    }

    /// Counts rows computed for a name.
    mutating func charge(_ name: Name, _ count: Int) {
        if present[name] != nil { rows[name, default: 0] += count }
    }
}
