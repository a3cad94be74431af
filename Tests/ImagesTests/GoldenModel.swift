import Foundation
import Testing

@testable import Images
@testable import TensorFiles

/// A model folder of a golden set: its settings, and cases with pixels.
struct GoldenModel: CustomTestStringConvertible {
    let folder: URL

    var testDescription: String { folder.lastPathComponent }

    struct Case {
        let name: String
        let images: [String]
        let sizes: [ImageSize]
        /// The prompt with a placeholder for each token of a picture; nil in CogVLM.
        let expanded: String?
        let tensors: TensorFile?
    }

    func cases() throws -> [Case] {
        let json = try Golden.json(folder.appending(path: "golden/cases.json"))
        let cases = try #require(json["cases"] as? [[String: Any]])
        return try cases.enumerated().map { index, json in
            let name = try #require(json["name"] as? String)
            let file = folder.appending(path: "golden/case\(index)_\(name).safetensors")
            let sizes = json["sizes_wh"] as? [[Int]] ?? []
            return Case(
                name: name, images: json["images"] as? [String] ?? [],
                sizes: sizes.map { ImageSize(height: $0[1], width: $0[0]) },
                expanded: json["expanded"] as? String,
                tensors: Golden.exists(file) ? try TensorFile(file) : nil)
        }
    }

    func image(_ name: String) throws -> RGBImage {
        let bytes = try Golden.bytes(folder.appending(path: name))
        return try DecodedImage(decoding: bytes).image
    }

    func config() throws -> [String: Any] {
        try Golden.json(folder.appending(path: "config.json"))
    }

    /// The image processor's settings, wherever the version of transformers put them.
    func processor() throws -> [String: Any] {
        for (file, key) in [
            ("preprocessor_config.json", nil), ("processor_config.json", "image_processor"),
        ] {
            let url = folder.appending(path: file)
            guard Golden.exists(url) else { continue }
            let json = try Golden.json(url)
            guard let key else { return json }
            if let inner = json[key] as? [String: Any] { return inner }
        }
        return [:]
    }
}

/// A family's geometry, with what a golden set calls its parts.
struct GoldenFamily {
    enum Geometry {
        case tiles(plan: (ImageSize) throws -> TilePlan)
        case patches(QwenVLTiling)
    }

    let geometry: Geometry
    let tokenCount: (ImageSize) throws -> Int
    /// The text that stands for a token of a picture.
    let placeholder: String?
    let normaliser: PixelNormaliser
    /// The tensor of floats.
    let pixelValues: String

    init(_ model: GoldenModel) throws {
        let config = try model.config()
        let settings = try model.processor()
        let vision = try #require(config["vision_config"] as? [String: Any])
        switch config["model_type"] as? String {
        case "llava_next": try self.init(llavaNeXT: settings, vision)
        case "internvl": try self.init(internVL: settings, vision)
        case "internvl_chat": try self.init(internVLChat: config, settings, vision)
        case "qwen2_vl", "qwen2_5_vl": try self.init(qwenVL: settings)
        default: try self.init(cogVLM: config, vision)
        }
    }

    private init(llavaNeXT settings: [String: Any], _ vision: [String: Any]) throws {
        let pinpoints = try #require(settings["image_grid_pinpoints"] as? [[Int]])
        let tiling = try LLaVANeXTTiling(
            tile: try side(settings["crop_size"]), patch: try side(vision["patch_size"]),
            pinpoints: pinpoints.map { ImageSize(height: $0[0], width: $0[1]) })
        geometry = .tiles { try tiling.plan($0) }
        tokenCount = { try tiling.tokenCount($0) }
        placeholder = "<image>"
        normaliser = try makeNormaliser(settings, .folded)
        pixelValues = "in.pixel_values"
    }

    private init(internVL settings: [String: Any], _ vision: [String: Any]) throws {
        let counts =
            try #require(settings["min_patches"] as? Int)...#require(
                settings["max_patches"] as? Int)
        let tiling = try InternVLTiling(
            tile: try side(settings["size"]), patch: try side(vision["patch_size"]),
            tileCounts: counts)
        geometry = .tiles { try tiling.plan($0) }
        tokenCount = { try tiling.tokenCount($0) }
        placeholder = "<IMG_CONTEXT>"
        normaliser = try makeNormaliser(settings, .folded)
        pixelValues = "in.pixel_values"
    }

    private init(
        internVLChat config: [String: Any], _ settings: [String: Any], _ vision: [String: Any]
    ) throws {
        let counts =
            try #require(config["min_dynamic_patch"] as? Int)...#require(
                config["max_dynamic_patch"] as? Int)
        let tiling = try InternVLTiling(
            tile: try side(config["force_image_size"]), patch: try side(vision["patch_size"]),
            tileCounts: counts, addsThumbnail: config["use_thumbnail"] as? Bool ?? false)
        geometry = .tiles { try tiling.plan($0) }
        tokenCount = { try tiling.tokenCount($0) }
        placeholder = "<IMG_CONTEXT>"
        normaliser = try makeNormaliser(settings, .rescaledFirst)
        pixelValues = "in.pixel_values"
    }

    private init(qwenVL settings: [String: Any]) throws {
        let size = settings["size"] as? [String: Int]
        let least = try #require(settings["min_pixels"] as? Int ?? size?["shortest_edge"])
        let most = try #require(settings["max_pixels"] as? Int ?? size?["longest_edge"])
        let tiling = try QwenVLTiling(
            patch: try side(settings["patch_size"]),
            merge: try #require(settings["merge_size"] as? Int), pixels: least...most)
        geometry = .patches(tiling)
        tokenCount = { try tiling.tokenCount($0) }
        placeholder = "<|image_pad|>"
        normaliser = try makeNormaliser(settings, .folded)
        pixelValues = "in.pixel_values"
    }

    private init(cogVLM config: [String: Any], _ vision: [String: Any]) throws {
        // Only the second version shares keys between query heads.
        let tiling = try CogVLMTiling(
            tile: try side(vision["image_size"]), patch: try side(vision["patch_size"]),
            merge: config["num_multi_query_heads"] == nil ? 1 : 2)
        geometry = .tiles { _ in tiling.plan }
        tokenCount = { _ in tiling.tokenCount }
        placeholder = nil
        normaliser = try PixelNormaliser(
            mean: [0.48145466, 0.4578275, 0.40821073],
            deviation: [0.26862954, 0.26130258, 0.27577711], .rescaledFirst)
        pixelValues = "in.images"
    }

    /// Floats of a picture in the order of `pixel_values`.
    func pixels(
        of image: RGBImage, _ backend: ResampleBackend, _ normaliser: PixelNormaliser
    ) throws -> [Float] {
        let size = ImageSize(height: image.height, width: image.width)
        switch geometry {
        case .tiles(let plan):
            return normaliser.planes(of: try plan(size).tiles(of: image, backend: backend))
        case .patches(let tiling):
            let target = try tiling.resized(size)
            let resized = try image.resized(
                width: target.width, height: target.height, backend: backend)
            return normaliser.patches(of: resized, patch: tiling.patch, merge: tiling.merge)
        }
    }
}

/// A side as model files write it: a number, a pair, or a height and a width.
private func side(_ value: Any?) throws -> Int {
    if let number = value as? Int { return number }
    if let pair = value as? [Int] { return pair[0] }
    return try #require((value as? [String: Int])?["height"])
}

private func makeNormaliser(
    _ settings: [String: Any], _ arithmetic: NormaliseArithmetic
) throws -> PixelNormaliser {
    try PixelNormaliser(
        mean: try #require(settings["image_mean"] as? [Double]),
        deviation: try #require(settings["image_std"] as? [Double]), arithmetic)
}
