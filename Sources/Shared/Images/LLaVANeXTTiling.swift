/// LLaVA-NeXT ("anyres"): the whole picture squashed into one tile, then the picture on the best of
/// several canvases, cut into tiles. Formulas: docs of transformers' `LlavaNextImageProcessor`.
package struct LLaVANeXTTiling: Sendable, Hashable {
    /// The side of a tile.
    package let tile: Int
    /// The side of a patch of the vision tower.
    package let patch: Int
    /// The canvases to choose from (`image_grid_pinpoints`), whole tiles each.
    package let pinpoints: [ImageSize]

    /// Throws unless tiles are whole patches, and canvases whole tiles.
    package init(tile: Int, patch: Int, pinpoints: [ImageSize]) throws(ImageError) {
        guard (1...ImageSize.sideMax).contains(tile), patch > 0, tile % patch == 0 else {
            throw .badSetting(name: "crop_size", value: "\(tile) with patches of \(patch)")
        }
        let fits = pinpoints.allSatisfy {
            (1...ImageSize.sideMax).contains($0.height) && $0.height % tile == 0
                && (1...ImageSize.sideMax).contains($0.width) && $0.width % tile == 0
        }
        guard fits, !pinpoints.isEmpty else {
            throw .badSetting(name: "image_grid_pinpoints", value: "\(pinpoints.count) canvases")
        }
        (self.tile, self.patch, self.pinpoints) = (tile, patch, pinpoints)
    }

    /// The tiles of a picture.
    package func plan(_ image: ImageSize) throws(ImageError) -> TilePlan {
        let canvas = bestCanvas(try image.checked())
        let square = ImageSize(side: tile)
        let spread = TileView(resized: fitted(image, into: canvas), canvas: canvas)
        return TilePlan(tile: square, views: [TileView(filling: square), spread])
    }

    /// The canvas on which the picture keeps the most pixels, then the one that wastes the fewest;
    /// of equals the first.
    package func bestCanvas(_ image: ImageSize) -> ImageSize {
        var best = (canvas: pinpoints[0], kept: -1, wasted: Int.max)
        for canvas in pinpoints {
            let scale = min(
                Double(canvas.width) / Double(image.width),
                Double(canvas.height) / Double(image.height))
            let scaled = Int(Double(image.width) * scale) * Int(Double(image.height) * scale)
            let kept = min(scaled, image.area)
            let wasted = canvas.area - kept
            if kept > best.kept || (kept == best.kept && wasted < best.wasted) {
                best = (canvas, kept, wasted)
            }
        }
        return best.canvas
    }

    private func fitted(_ image: ImageSize, into canvas: ImageSize) -> ImageSize {
        let xScale = Double(canvas.width) / Double(image.width)
        let yScale = Double(canvas.height) / Double(image.height)
        if xScale < yScale {
            let height = Int((Double(image.height) * xScale).rounded(.up))
            return ImageSize(height: min(height, canvas.height), width: canvas.width)
        }
        let width = Int((Double(image.width) * yScale).rounded(.up))
        return ImageSize(height: canvas.height, width: min(width, canvas.width))
    }

    /// Which features of the canvas show the picture; the others are dropped before packing.
    package func visible(_ image: ImageSize) throws(ImageError) -> FeatureWindow {
        let canvas = bestCanvas(try image.checked())
        let grid = ImageSize(height: canvas.height / patch, width: canvas.width / patch)
        let imageAspect = Double(image.width) / Double(image.height)
        let gridAspect = Double(grid.width) / Double(grid.height)
        if imageAspect > gridAspect {
            let scale = Double(grid.width) / Double(image.width)
            let margin = (grid.height - roundedDown(Double(image.height) * scale)) / 2
            return FeatureWindow(grid: grid, top: margin, left: 0)
        }
        let scale = Double(grid.height) / Double(image.height)
        let margin = (grid.width - roundedDown(Double(image.width) * scale)) / 2
        return FeatureWindow(grid: grid, top: 0, left: margin)
    }

    /// How many tokens a picture becomes: the base tile's, then visible rows with a newline each.
    package func tokenCount(_ image: ImageSize) throws(ImageError) -> Int {
        let window = try visible(image)
        let side = tile / patch
        return side * side + window.rows * (window.columns + 1)
    }

    /// Python's `int(round(value, 7))`: whole unless it misses the next number by more than that.
    private func roundedDown(_ value: Double) -> Int { Int((value * 1e7).rounded() / 1e7) }
}

/// The part of a grid of features that is left when equal margins are dropped on both sides.
package struct FeatureWindow: Sendable, Hashable {
    /// The whole grid.
    package let grid: ImageSize
    /// Rows dropped above, and as many below.
    package let top: Int
    /// Columns dropped to the left, and as many to the right.
    package let left: Int

    /// Rows that are left.
    package var rows: Int { grid.height - 2 * top }
    /// Columns that are left.
    package var columns: Int { grid.width - 2 * left }
}
