import Base
import Images
import Messages
import RPC

/// Rows to upload: the same ones for the same numbers.
struct RowSource: Sendable {
    /// Rows sent, by their number.
    let range: Range<Int>
    private let photos: [Bytes]

    init(_ task: BenchTask) throws {
        let first = task.first ?? 0
        range = first..<(first + (task.rows ?? 1_000))
        photos = task.images == "photos" ? try (0..<64).map { try Self.photo($0) } : []
    }

    /// Row `number`: one image, a question, one of ten classes, a group of ten rows.
    func row(_ number: Int) throws -> IngestRow {
        var row = IngestRow()
        row.rowID = "row-\(number)"
        var image = RowImage()
        image.source = .content(try content(number))
        image.displayName = "\(number).jpg"
        row.images = [image]
        var question = Turn()
        question.role = .user
        question.parts = [Self.place, Self.text("Which class?")]
        var answer = Turn()
        answer.role = .assistant
        answer.parts = [Self.text("class-\(number % 10)")]
        row.turns = [question, answer]
        row.groupValues = ["part": "part-\(number / 10)"]
        return row
    }

    private func content(_ number: Int) throws -> Bytes {
        guard !photos.isEmpty else { return try Self.tiny(number) }
        // The density in the header makes other bytes of the same picture, which costs the same
        // to take in and next to nothing to make.
        return photos[number % photos.count].withUnsafeBytes { source in
            Bytes(count: source.count) { target in
                target.copyMemory(from: source)
                withUnsafeBytes(of: UInt32(number).bigEndian) { density in
                    UnsafeMutableRawBufferPointer(rebasing: target[14..<18])
                        .copyMemory(from: density)
                }
            }
        }
    }

    /// A JPEG of 400 x 300 and some 30 kB: smooth with noise.
    private static func photo(_ seed: Int) throws -> Bytes {
        try jpeg(width: 400, height: 300, cell: 50, noise: 26, seed: seed, quality: 88)
    }

    /// A JPEG of 32 x 32, unlike any other.
    private static func tiny(_ seed: Int) throws -> Bytes {
        try jpeg(width: 32, height: 32, cell: 4, noise: 0, seed: seed, quality: 80)
    }

    private static func jpeg(
        width: Int, height: Int, cell: Int, noise: Int, seed: Int, quality: Int
    ) throws -> Bytes {
        let across = width / cell + 1
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                let tile = UInt64(y / cell * across + x / cell)
                let level = Philox.mixed(tile, seed: UInt64(seed)) % 200
                var grain: UInt64 = 0
                if noise > 0 {
                    let place = UInt64(y * width + x)
                    grain = Philox.mixed(place, seed: ~UInt64(seed)) % UInt64(noise)
                }
                for channel in 0..<3 {
                    pixels[(y * width + x) * 3 + channel] = UInt8(level + grain)
                }
            }
        }
        guard let image = RGBImage(width: width, height: height, pixels: pixels) else {
            throw RPCError(.internalError, "no image of \(width) x \(height)")
        }
        return try image.jpeg(quality: quality)
    }

    private static let place: ContentPart = {
        var part = ContentPart()
        part.part = .imageIndex(0)
        return part
    }()

    private static func text(_ text: String) -> ContentPart {
        var part = ContentPart()
        part.part = .text(text)
        return part
    }
}
