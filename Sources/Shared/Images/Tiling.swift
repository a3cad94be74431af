/// A size in pixels, patches or tiles; height first, as in model files.
package struct ImageSize: Sendable, Hashable {
    package let height: Int
    package let width: Int

    package init(height: Int, width: Int) {
        (self.height, self.width) = (height, width)
    }

    /// A square.
    package init(side: Int) { self.init(height: side, width: side) }

    /// Height times width.
    package var area: Int { height * width }

    /// Sides of tiles and canvases that a model file may ask for.
    static let sideMax = 1 << 14

    func checked() throws(ImageError) -> ImageSize {
        guard height > 0, width > 0 else { throw .badSize(width: width, height: height) }
        return self
    }
}

/// One way to show a picture to a model: resized, centred on a canvas, cut into equal tiles.
package struct TileView: Sendable, Hashable {
    package let resized: ImageSize
    package let canvas: ImageSize

    /// The resized picture fills its canvas.
    init(filling canvas: ImageSize) { self.init(resized: canvas, canvas: canvas) }

    init(resized: ImageSize, canvas: ImageSize) {
        (self.resized, self.canvas) = (resized, canvas)
    }

    /// Rows above the picture; those below may be one more.
    package var top: Int { (canvas.height - resized.height) / 2 }
    /// Columns to the left of the picture.
    package var left: Int { (canvas.width - resized.width) / 2 }
}

/// How one picture becomes tiles, in the order in which the model reads them.
package struct TilePlan: Sendable, Hashable {
    package let tile: ImageSize
    package let views: [TileView]

    /// Rows and columns of tiles in a view.
    package func grid(of view: TileView) -> ImageSize {
        ImageSize(height: view.canvas.height / tile.height, width: view.canvas.width / tile.width)
    }

    /// How many tiles there are.
    package var tileCount: Int { views.reduce(0) { $0 + grid(of: $1).area } }

    /// Cuts the tiles. The canvas around the picture is black, before normalising.
    package func tiles(
        of image: RGBImage, _ filter: ResampleFilter = .bicubic, backend: ResampleBackend
    ) throws(ImageError) -> [RGBImage] {
        var tiles: [RGBImage] = []
        for view in views {
            let resized = try image.resized(
                width: view.resized.width, height: view.resized.height, filter, backend: backend)
            let canvas = resized.padded(
                width: view.canvas.width, height: view.canvas.height, x: view.left, y: view.top)
            tiles += cut(canvas, grid(of: view))
        }
        return tiles
    }

    /// Row after row.
    private func cut(_ canvas: RGBImage, _ grid: ImageSize) -> [RGBImage] {
        if grid.area == 1 { return [canvas] }
        return (0..<grid.area).map { index in
            let (row, column) = (index / grid.width, index % grid.width)
            return canvas.cropped(
                x: column * tile.width, y: row * tile.height, width: tile.width,
                height: tile.height)
        }
    }
}
