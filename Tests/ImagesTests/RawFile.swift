import TestSupport

@testable import Images

/// Files made by hand, well or ill.
enum RawFile {
    /// The start of a PNG file, with a header chunk whose checksum is wrong.
    static func png(width: Int, height: Int) -> [UInt8] {
        [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13] + Array("IHDR".utf8)
            + big(width) + big(height) + [8, 2, 0, 0, 0, 0, 0, 0, 0]
    }

    /// A little-endian TIFF file of one directory of numbers, which must be in order.
    static func tiff(_ tags: [(tag: Int, value: Int)]) -> [UInt8] {
        var bytes: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0] + little(tags.count).prefix(2)
        for (tag, value) in tags {
            bytes += little(tag).prefix(2) + [4, 0, 1, 0, 0, 0] + little(value)
        }
        return bytes + [0, 0, 0, 0]
    }

    /// A picture that no coder makes small.
    static func noise(width: Int, height: Int, seed: UInt64 = 1) -> RGBImage {
        var random = SeededRandom(seed: seed)
        return RGBImage(width, height) { target in
            for index in target.indices { target[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    private static func big(_ value: Int) -> [UInt8] { little(value).reversed() }

    private static func little(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
