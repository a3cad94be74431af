extension JSONNode {
    /// The value that a JSON pointer (RFC 6901) names, seen from this one; nil if there is none.
    package func value(at pointer: String) -> JSONNode? {
        let parts = pointer.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, first.isEmpty else { return nil }
        return parts.dropFirst().reduce(self as JSONNode?) { node, part in
            guard let node else { return nil }
            let name = String(part.replacing("~1", with: "/").replacing("~0", with: "~"))
            guard node.isArray else { return node[name] }
            return Int(name).flatMap { index in
                node.elements.enumerated().first { $0.offset == index }?.element
            }
        }
    }
}
