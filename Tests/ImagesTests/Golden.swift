import Base
import Foundation
import Testing

@testable import Images
@testable import TensorFiles

/// Folders of golden values: a reference set, which `FOVEA_GOLDENS` may replace, and our own.
enum Golden {
    private static let inRepository = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Goldens")

    private static let reference: URL = {
        let other = ProcessInfo.processInfo.environment["FOVEA_GOLDENS"]
        return other.map { URL(filePath: $0) } ?? inRepository.appending(path: "reference")
    }()

    /// Folders with vectors of decoding and resizing.
    static let imageFolders = [
        reference.appending(path: "image"), inRepository.appending(path: "images"),
    ].filter { exists($0.appending(path: "decode.safetensors")) }

    /// Model folders whose cases have pixels.
    static let models: [GoldenModel] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: reference.path)) ?? []
        return names.sorted().compactMap { name in
            let folder = reference.appending(path: name)
            guard exists(folder.appending(path: "images")),
                exists(folder.appending(path: "golden/cases.json"))
            else { return nil }
            return GoldenModel(folder: folder)
        }
    }()

    static func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

    static func bytes(_ url: URL) throws -> Bytes { Bytes([UInt8](try Data(contentsOf: url))) }

    static func json(_ url: URL) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url))
        return try #require(object as? [String: Any])
    }
}

extension TensorFile {
    init(_ url: URL) throws { try self.init(path: url.path) }

    func has(_ name: String) -> Bool { tensors.contains { $0.name == name } }

    func names(ending suffix: String) -> [String] {
        tensors.map(\.name).filter { $0.hasSuffix(suffix) }.sorted()
    }

    func values<T: BitwiseCopyable>(_ name: String, as type: T.Type) throws -> [T] {
        try tensor(named: name).withBytes { bytes in
            (0..<bytes.count / MemoryLayout<T>.size).map {
                bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: type)
            }
        }
    }

    /// A picture `[height, width, 3]`.
    func image(_ name: String) throws -> RGBImage {
        let shape = try tensor(named: name).stored.shape
        try #require(shape.count == 3 && shape[2] == 3)
        return try #require(
            RGBImage(
                width: shape[1], height: shape[0], pixels: try values(name, as: UInt8.self)))
    }
}

/// How two pictures differ, in words; nil if they do not.
func difference(_ image: RGBImage, _ expected: RGBImage) -> String? {
    guard image.width == expected.width, image.height == expected.height else {
        return "\(image.width) x \(image.height), not \(expected.width) x \(expected.height)"
    }
    let distances = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    guard let worst = distances.max(), worst > 0 else { return nil }
    return "\(distances.count { $0 > 0 }) of \(distances.count) differ, by up to \(worst)"
}
