package import Images
import Numerics

/// LLaVA-NeXT's tiles: the whole picture squashed, then the picture on the best canvas.
package struct LLaVANeXTImages: ImagePreparation {
    private let tiling: LLaVANeXTTiling
    private let pixels: PixelSettings
    private let backend: ResampleBackend

    /// - Parameter settings: of the image processor; its canvases must be those of the model
    package init(
        _ config: LLaVANeXTConfig, _ settings: ConfigReader?
    ) throws(ModelError) {
        tiling = try config.tiling()
        backend = config.isOriginal ? .pillow : .torchvision
        pixels = try PixelSettings(
            settings, standard: PixelSettings.clip,
            config.isOriginal ? .rescaledFirst : .folded)
        if let settings, let sizes = try settings.sizes("image_grid_pinpoints"),
            sizes != config.pinpoints
        {
            throw settings.bad(
                "image_grid_pinpoints", settings["image_grid_pinpoints"],
                "the \(config.pinpoints.count) sizes of config.json")
        }
        if let crop = try settings?.object("crop_size")?.count("height"),
            crop != config.vision.tile
        {
            throw .badConfig(
                field: "crop_size", seen: "\(crop)", allowed: "\(config.vision.tile), the tower's")
        }
    }

    package func tokenCount(_ size: ImageSize) throws(ImageError) -> Int {
        try tiling.tokenCount(size)
    }

    package func prepared(_ image: RGBImage) throws(ImageError) -> PreparedImage {
        let size = ImageSize(height: image.height, width: image.width)
        let tiles = try tiling.plan(size).tiles(of: image, pixels.filter, backend: backend)
        return PreparedImage(
            pixels: pixels.normaliser.planes(of: tiles),
            shape: [tiles.count, 3, tiling.tile, tiling.tile], size: size,
            tokenCount: try tiling.tokenCount(size))
    }
}
