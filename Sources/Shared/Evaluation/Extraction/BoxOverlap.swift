/// A rectangle on an image, in any unit.
package struct AnswerBox: Sendable, Hashable {
    /// What four numbers of a box mean.
    package enum Order: Sendable, Hashable {
        /// Left, top, right, bottom.
        case corners
        /// Left, top, width, height.
        case originAndSize
    }

    package let left, top, right, bottom: Double

    /// Nil unless all four are finite and the box has an area.
    package init?(_ numbers: [Double], order: Order) {
        guard numbers.count == 4, numbers.allSatisfy({ $0.isFinite && abs($0) < 1e15 })
        else { return nil }
        (left, top) = (numbers[0], numbers[1])
        let isCorners = order == .corners
        right = isCorners ? numbers[2] : left + numbers[2]
        bottom = isCorners ? numbers[3] : top + numbers[3]
        guard right > left, bottom > top else { return nil }
    }

    /// Intersection over union, 0 to 1.
    package func overlap(_ other: AnswerBox) -> Double {
        let width = min(right, other.right) - max(left, other.left)
        let height = min(bottom, other.bottom) - max(top, other.top)
        guard width > 0, height > 0 else { return 0 }
        let both = width * height
        return both / (area + other.area - both)
    }

    private var area: Double { (right - left) * (bottom - top) }
}
