/// Finds the longest of many byte strings at a place.
struct ByteTrie: Sendable {
    /// Children of a node as a list: first child, next sibling.
    private struct Node {
        let byte: UInt8
        var id: Int32 = -1
        var child: Int32 = -1
        var sibling: Int32 = -1
    }

    private var nodes = [Node(byte: 0)]
    /// For each byte, the root's child; so most of a text costs one look per byte.
    private var roots = [Int32](repeating: -1, count: 256)

    var isEmpty: Bool { nodes.count == 1 }

    /// Adds a string; an empty one is left out, of equal ones the later counts.
    mutating func insert(_ string: some Collection<UInt8>, id: Int32) {
        guard !string.isEmpty else { return }
        var node: Int32 = 0
        for byte in string { node = child(of: node, byte) ?? grow(node, byte) }
        nodes[Int(node)].id = id
    }

    private mutating func grow(_ parent: Int32, _ byte: UInt8) -> Int32 {
        let index = Int32(nodes.count)
        nodes.append(Node(byte: byte, sibling: nodes[Int(parent)].child))
        nodes[Int(parent)].child = index
        if parent == 0 { roots[Int(byte)] = index }
        return index
    }

    private func child(of parent: Int32, _ byte: UInt8) -> Int32? {
        if parent == 0 { return roots[Int(byte)] < 0 ? nil : roots[Int(byte)] }
        var node = nodes[Int(parent)].child
        while node >= 0, nodes[Int(node)].byte != byte { node = nodes[Int(node)].sibling }
        return node < 0 ? nil : node
    }

    /// The longest string that starts at `position`, and where it ends.
    func longestMatch(
        in text: UnsafeBufferPointer<UInt8>, at position: Int
    ) -> (id: Int32, end: Int)? {
        var node = roots[Int(text[position])]
        var (end, found) = (position + 1, (id: Int32(-1), end: 0))
        while node >= 0 {
            if nodes[Int(node)].id >= 0 { found = (nodes[Int(node)].id, end) }
            guard end < text.count, let next = child(of: node, text[end]) else { break }
            (node, end) = (next, end + 1)
        }
        return found.id < 0 ? nil : found
    }

    /// The first place from `position` on where a string may start.
    @inline(__always)
    func firstCandidate(in text: UnsafeBufferPointer<UInt8>, from position: Int) -> Int {
        roots.withUnsafeBufferPointer { roots in
            var position = position
            while position < text.count, roots[Int(text[position])] < 0 { position += 1 }
            return position
        }
    }
}
