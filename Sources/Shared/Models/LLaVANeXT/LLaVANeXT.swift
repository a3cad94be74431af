import Images
package import Layers
package import Numerics

/// LLaVA-NeXT (LLaVA 1.6): CLIP tiles through two linear layers into a language model.
package struct LLaVANeXT: VisionLanguageModel {
    package let decoder: Decoder
    private let vision: CLIPVision
    private let first, second: Linear
    private let activation: Activation
    private let newline: Parameter
    private let visionLayers: Int
    private let tiling: LLaVANeXTTiling

    /// Builds the model that a configuration describes.
    package init(
        _ config: LLaVANeXTConfig, from weights: ModelWeights
    ) throws(ModelError) {
        tiling = try config.tiling()
        (activation, visionLayers) = (config.activation, config.visionLayers)
        let model = weights("model")
        let projector = model("multi_modal_projector")
        let (width, bias) = (config.text.width, config.hasProjectorBias)
        do {
            vision = try CLIPVision(config.vision, from: model("vision_tower"))
            first = try projector("linear_1").linear(config.vision.width, to: width, bias: bias)
            second = try projector("linear_2").linear(width, to: width, bias: bias)
            newline = try model.parameter("image_newline", [width])
            decoder = try Decoder(
                config.text, from: model("language_model"), head: weights("lm_head"))
        } catch {
            throw .weights(error)
        }
    }

    package func imageFeatures(_ images: [PreparedImage], _ pass: Pass) -> Tensor {
        packed(projected(visionRows(images, pass), pass), images, pass)
    }

    /// Rows of the vision tower.
    /// - Returns: `[tiles · (1 + side²), vision width]`
    package func visionRows(_ images: [PreparedImage], _ pass: Pass) -> Tensor {
        vision(
            Tensor.concatenated(images.map { $0.tensor(on: backend) }), layers: visionLayers, pass)
    }

    /// Rows of patches after the projector.
    /// - Parameter rows: of the vision tower
    /// - Returns: `[tiles · side², D]`
    package func projected(_ rows: Tensor, _ pass: Pass) -> Tensor {
        let patches = vision.config.side * vision.config.side
        let kept = (0..<rows.shape[0]).filter { $0 % (patches + 1) != 0 }.map { Int32($0) }
        let inner = first(rows.gathered(rows: kept), pass).activated(activation)
        return second(inner, pass)
    }

    /// Puts rows of tiles in the order of the picture: the base tile, then the visible rows of the
    /// whole picture, each with a newline.
    private func packed(_ rows: Tensor, _ images: [PreparedImage], _ pass: Pass) -> Tensor {
        let line = Int32(rows.shape[0])
        var (order, firstTile) = ([Int32](), 0)
        for image in images {
            order += places(of: image, firstTile: firstTile, newline: line)
            firstTile += image.shape[0]
        }
        let newline = newline(pass).reshaped([1, rows.shape[1]])
        return Tensor.concatenated([rows, newline]).gathered(rows: order)
    }

    private func places(
        of image: PreparedImage, firstTile: Int, newline: Int32
    ) -> [Int32] {
        let side = vision.config.side
        let start = firstTile * side * side
        guard let window = try? tiling.visible(image.size) else {
            preconditionFailure("llava-next: a picture of \(image.size)")
        }
        let across = window.grid.width / side
        var order = (0..<side * side).map { Int32(start + $0) }
        for y in window.top..<window.top + window.rows {
            for x in window.left..<window.left + window.columns {
                let tile = 1 + (y / side) * across + x / side
                order.append(Int32(start + (tile * side + y % side) * side + x % side))
            }
            order.append(newline)
        }
        return order
    }
}
