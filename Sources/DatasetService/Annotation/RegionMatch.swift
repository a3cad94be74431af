import Messages
import Resources

extension [ImageRegion] {
    /// Whether the boxes of two people show the same: one to one, of one image and label, each pair
    /// overlapping by at least half of what both cover together.
    func shows(_ other: [ImageRegion]) -> Bool {
        guard count == other.count else { return false }
        var free = other
        for region in self {
            let near = free.indices.max { region.overlap(free[$0]) < region.overlap(free[$1]) }
            guard let near, region.overlap(free[near]) >= Limits.regionOverlapMin else {
                return false
            }
            free.remove(at: near)
        }
        return true
    }
}

extension ImageRegion {
    /// Intersection over union; 0 for boxes of different images or labels.
    fileprivate func overlap(_ other: ImageRegion) -> Double {
        guard imageIndex == other.imageIndex, label == other.label else { return 0 }
        let width = min(xMaxPixels, other.xMaxPixels) - max(xMinPixels, other.xMinPixels)
        let height = min(yMaxPixels, other.yMaxPixels) - max(yMinPixels, other.yMinPixels)
        guard width > 0, height > 0 else { return 0 }
        let shared = width * height
        return shared / (area + other.area - shared)
    }

    private var area: Double { (xMaxPixels - xMinPixels) * (yMaxPixels - yMinPixels) }
}
