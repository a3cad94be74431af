extension Collection {
    /// The first few in an order, without sorting the rest.
    func largest(_ count: Int, _ isBefore: (Element, Element) -> Bool) -> [Element] {
        var found: [Element] = []
        guard count > 0 else { return found }
        for element in self {
            if found.count == count, !isBefore(element, found[count - 1]) { continue }
            let place = found.firstIndex { isBefore(element, $0) } ?? found.count
            found.insert(element, at: place)
            if found.count > count { found.removeLast() }
        }
        return found
    }
}
