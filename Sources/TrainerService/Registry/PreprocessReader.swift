import Base
import Digests
import Messages
import Models
import Text

/// What a folder says of the way from images and turns to a model's input.
struct PreprocessReader {
    private let shape: ModelShape
    private let files: ModelFiles
    private let digests: [ModelFile]

    init(_ shape: ModelShape, _ files: ModelFiles, _ digests: [ModelFile]) {
        (self.shape, self.files, self.digests) = (shape, files, digests)
    }

    func spec() throws(ModelError) -> PreprocessSpec {
        let config = try files.config()
        var spec = PreprocessSpec()
        spec.family = try config.text("model_type")
        spec.contextTokensMax = UInt32(clamping: shape.model.model.decoder.config.lengthMax)
        let template = shape.model.inputs.chat.format.template.source
        spec.templateSha256 = Bytes(template).withUnsafeBytes { SHA256.digest($0) }.hex
        let names = [
            "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt",
            "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        ]
        spec.tokenizerSha256 = digests.filter { names.contains($0.path) }.digest
        try readImages(config, &spec)
        return spec
    }

    private func readImages(
        _ config: ConfigReader, _ spec: inout PreprocessSpec
    ) throws(ModelError) {
        let settings = try files.imageSettings()
        spec.channelMeans = try settings?.numbers("image_mean") ?? PixelSettings.clip.mean
        spec.channelDeviations =
            try settings?.numbers("image_std") ?? PixelSettings.clip.deviation
        let filters: [Int: Resampling] = [1: .lanczos, 2: .bilinear, 3: .bicubic]
        spec.resampling = filters[try settings?.integer("resample", or: 3) ?? 3] ?? .unspecified
        let vision = config.object("vision_config")
        spec.tileSidePixels = UInt32(clamping: try vision?.integer("image_size", or: 0) ?? 0)
        spec.patchSidePixels = UInt32(clamping: try vision?.integer("patch_size", or: 0) ?? 0)
        guard let grids = config["image_grid_pinpoints"] else { return }
        spec.tiling = .anyres
        spec.gridSizes = grids.elements.compactMap { pair in
            let sides = pair.elements.compactMap(\.int)
            guard sides.count == 2 else { return nil }
            // The hub's layout has the height first.
            return .with {
                $0.heightPixels = UInt32(clamping: sides[0])
                $0.widthPixels = UInt32(clamping: sides[1])
            }
        }
    }
}

extension PreprocessSpec {
    /// SHA-256 of the spec as JSON with keys in order, unset fields left out.
    var digest: String {
        var json = JSONText()
        json.object { json in
            list("channel_deviations", channelDeviations, &json)
            list("channel_means", channelMeans, &json)
            number("context_tokens_max", contextTokensMax, &json)
            if !family.isEmpty { json.member("family", family) }
            if !gridSizes.isEmpty {
                json.key("grid_sizes")
                json.array { json in
                    for size in gridSizes {
                        json.value("\(size.widthPixels)x\(size.heightPixels)")
                    }
                }
            }
            number("patch_side_pixels", patchSidePixels, &json)
            if resampling != .unspecified { json.member("resampling", resampling.plainName) }
            if !templateSha256.isEmpty { json.member("template_sha256", templateSha256) }
            number("tile_side_pixels", tileSidePixels, &json)
            if tiling != .unspecified { json.member("tiling", tiling.plainName) }
            if !tokenizerSha256.isEmpty { json.member("tokenizer_sha256", tokenizerSha256) }
        }
        return Bytes(json.utf8).withUnsafeBytes { SHA256.digest($0) }.hex
    }

    private func number(_ key: String, _ value: UInt32, _ json: inout JSONText) {
        if value > 0 { json.member(key, Int(value)) }
    }

    private func list(_ key: String, _ values: [Double], _ json: inout JSONText) {
        guard !values.isEmpty else { return }
        json.key(key)
        json.array { json in for value in values { json.value(value) } }
    }
}
