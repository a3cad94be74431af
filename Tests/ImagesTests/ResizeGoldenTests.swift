import Foundation
import Testing

@testable import Images
@testable import TensorFiles

/// Resized pictures equal Pillow's and torchvision's byte for byte.
struct ResizeGoldenTests {
    private static let backends: [(suffix: String, backend: ResampleBackend)] = [
        ("pil", .pillow), ("torch", .torchvision),
    ]

    @Test(arguments: Golden.imageFolders)
    func resizesAreExact(folder: URL) throws {
        let goldens = try TensorFile(folder.appending(path: "resize.safetensors"))
        var checked = 0
        for (suffix, backend) in Self.backends {
            for key in goldens.names(ending: ".\(suffix)") {
                let parts = key.split(separator: ".")
                let filter = try #require(known(String(parts[1])), "\(key)")
                let expected = try goldens.image(key)
                let resized = try goldens.image("\(parts[0]).in").resized(
                    width: expected.width, height: expected.height, filter, backend: backend)
                #expect(difference(resized, expected) == nil, "\(key)")
                checked += 1
            }
        }
        #expect(checked > 0)
    }

    private func known(_ name: String) -> ResampleFilter? {
        ResampleFilter.allCases.first { "\($0)" == name }
    }
}
