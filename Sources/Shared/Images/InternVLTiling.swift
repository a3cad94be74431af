/// InternVL, both layouts: the picture stretched over the grid of tiles whose shape is nearest to
/// its own, then a thumbnail of the whole.
package struct InternVLTiling: Sendable, Hashable {
    /// The side of a tile.
    package let tile: Int
    /// The side of a patch of the vision tower.
    package let patch: Int
    /// How many tiles a grid may have.
    package let tileCounts: ClosedRange<Int>
    /// Whether a picture of several tiles gets a thumbnail too.
    package let addsThumbnail: Bool

    /// The grids in the order of transformers: by tiles, then by columns.
    private let grids: [ImageSize]

    /// Throws unless tiles are whole pairs of patches: four neighbours become one token.
    package init(
        tile: Int, patch: Int, tileCounts: ClosedRange<Int>, addsThumbnail: Bool = true
    ) throws(ImageError) {
        guard (1...ImageSize.sideMax).contains(tile), (1...tile).contains(patch),
            tile % (2 * patch) == 0
        else {
            throw .badSetting(name: "image_size", value: "\(tile) with patches of \(patch)")
        }
        guard tileCounts.lowerBound > 0, tileCounts.upperBound <= 1024 else {
            throw .badSetting(name: "max_patches", value: "\(tileCounts)")
        }
        (self.tile, self.patch, self.tileCounts) = (tile, patch, tileCounts)
        self.addsThumbnail = addsThumbnail
        grids = Self.grids(tileCounts)
    }

    private static func grids(_ counts: ClosedRange<Int>) -> [ImageSize] {
        counts.flatMap { count in
            (1...count).filter { count % $0 == 0 }.map { columns in
                ImageSize(height: count / columns, width: columns)
            }
        }
    }

    /// The grid whose aspect is nearest; of equals a later one if the picture fills half of it.
    package func bestGrid(_ image: ImageSize) -> ImageSize {
        let aspect = Double(image.width) / Double(image.height)
        var best = (grid: ImageSize(side: 1), distance: Double.infinity)
        for grid in grids {
            let distance = abs(aspect - Double(grid.width) / Double(grid.height))
            let fillsHalf = Double(image.area) > 0.5 * Double(tile * tile * grid.area)
            if distance < best.distance || (distance == best.distance && fillsHalf) {
                best = (grid, distance)
            }
        }
        return best.grid
    }

    /// The tiles of a picture.
    package func plan(_ image: ImageSize) throws(ImageError) -> TilePlan {
        let grid = bestGrid(try image.checked())
        let spread = ImageSize(height: grid.height * tile, width: grid.width * tile)
        var views = [TileView(filling: spread)]
        if addsThumbnail, grid.area > 1 { views.append(TileView(filling: ImageSize(side: tile))) }
        return TilePlan(tile: ImageSize(side: tile), views: views)
    }

    /// Tokens of one tile.
    package var tokensPerTile: Int { (tile / patch) * (tile / patch) / 4 }

    /// How many tokens a picture becomes.
    package func tokenCount(_ image: ImageSize) throws(ImageError) -> Int {
        try plan(image).tileCount * tokensPerTile
    }
}
