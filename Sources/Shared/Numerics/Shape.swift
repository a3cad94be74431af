/// The extents of a tensor, outermost first. Axis letters: docs/SHAPES.md.
package struct Shape: Hashable, Sendable {
    package let extents: [Int]
    /// How many elements there are.
    package let count: Int

    package init(_ extents: [Int]) {
        precondition(extents.allSatisfy { $0 >= 0 }, "shape: negative extent in \(extents)")
        self.extents = extents
        count = extents.reduce(1, *)
    }

    /// How many axes there are.
    package var rank: Int { extents.count }
    /// The innermost extent; 1 for a scalar.
    package var width: Int { extents.last ?? 1 }
    /// How many rows of `width` there are.
    package var rows: Int { width == 0 ? extents.dropLast().reduce(1, *) : count / width }

    /// The extent of an axis.
    package subscript(axis: Int) -> Int { extents[axis] }

    /// The same outer extents with another innermost one.
    package func withWidth(_ width: Int) -> Shape { Shape(extents.dropLast() + [width]) }
    /// The same inner extents with another outermost one.
    package func withRows(_ rows: Int) -> Shape { Shape([rows] + extents.dropFirst()) }
}

extension Shape: ExpressibleByArrayLiteral {
    package init(arrayLiteral extents: Int...) { self.init(extents) }
}

extension Shape: CustomStringConvertible {
    package var description: String { extents.description }
}
