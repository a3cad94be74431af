/// CogVLM: the whole picture squashed into one square.
package struct CogVLMTiling: Sendable, Hashable {
    /// The side of the square.
    package let tile: Int
    /// The side of a patch of the vision tower.
    package let patch: Int
    /// How many patches each way become one token: 1, or 2 in CogVLM2.
    package let merge: Int

    /// Throws unless the square is whole patches.
    package init(tile: Int, patch: Int, merge: Int) throws(ImageError) {
        guard (1...ImageSize.sideMax).contains(tile), patch > 0, merge > 0, tile % patch == 0
        else {
            throw .badSetting(name: "image_size", value: "\(tile) with patches of \(patch)")
        }
        (self.tile, self.patch, self.merge) = (tile, patch, merge)
    }

    /// The only tile.
    package var plan: TilePlan {
        let square = ImageSize(side: tile)
        return TilePlan(tile: square, views: [TileView(filling: square)])
    }

    /// How many tokens a picture becomes, with the two learned ones around it.
    package var tokenCount: Int { (tile / patch / merge) * (tile / patch / merge) + 2 }
}
