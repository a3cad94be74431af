import Base
import Foundation
import Testing

@testable import Images

/// JPEG pictures that are made small while they are decoded, as Pillow's `draft` does it.
struct SmallDecodeGoldenTests {
    private struct Case: Decodable {
        let name: String
        let shrink: Int
        let width: Int
        let height: Int
        let pixels: Foundation.Data
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Goldens/images")

    private func bytes(_ name: String) throws -> Bytes {
        Bytes([UInt8](try Data(contentsOf: Self.folder.appending(path: "\(name).jpg"))))
    }

    @Test func smallPicturesEqualThoseOfPillow() throws {
        let file = Self.folder.appending(path: "small_jpegs.json")
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
        #expect(cases.count >= 10)
        for golden in cases {
            let bytes = try bytes(golden.name)
            let longer = max(golden.width, golden.height)
            let small = try DecodedImage(decoding: bytes, DecodeOptions(sideEnough: longer))
            #expect((small.image.width, small.image.height) == (golden.width, golden.height))
            #expect(small.image.pixels == Array(golden.pixels), "\(golden.name) / \(golden.shrink)")
            #expect(small.header == (try DecodedImage(decoding: bytes).header))
        }
    }

    @Test func noPictureBecomesSmallerThanWhatIsEnough() throws {
        let bytes = try bytes("jpeg_420")
        let whole = try DecodedImage(decoding: bytes).image
        let longer = max(whole.width, whole.height)
        for enough in 1...longer {
            let small = try DecodedImage(decoding: bytes, DecodeOptions(sideEnough: enough)).image
            #expect(max(small.width, small.height) >= enough)
        }
        #expect(try DecodedImage(decoding: bytes, DecodeOptions(sideEnough: longer)).image == whole)
    }
}
