import Base
import Foundation
import Testing

@testable import Images
@testable import TensorFiles

/// Every file of the golden folders decodes to the bytes that Pillow and transformers get.
struct DecodeGoldenTests {
    private static let rules: [(suffix: String, alpha: AlphaRule)] = [
        (".pil_convert_rgb", .dropped), (".hf5_composited", .overWhite),
    ]

    @Test(arguments: Golden.imageFolders)
    func filesDecodeAsPillowDecodesThem(folder: URL) throws {
        let goldens = try TensorFile(folder.appending(path: "decode.safetensors"))
        for rule in Self.rules {
            for key in goldens.names(ending: rule.suffix) {
                let name = String(key.dropLast(rule.suffix.count))
                let bytes = try Golden.bytes(folder.appending(path: name))
                let decoded = try DecodedImage(decoding: bytes, DecodeOptions(alpha: rule.alpha))
                let difference = difference(decoded.image, try goldens.image(key))
                #expect(difference == nil, "\(key)")
            }
        }
    }

    @Test func foldersWereFound() {
        #expect(Golden.imageFolders.count == 2)
    }
}
