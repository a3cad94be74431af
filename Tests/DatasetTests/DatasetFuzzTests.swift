import Base
import Digests
import Foundation
import Images
import Messages
import TestSupport
import Testing

@testable import DatasetService

/// Damaged sources, images and rows from seeds: each is taken or refused with a reason, and what is
/// taken is sound. FOVEA_FUZZ_CASES and FOVEA_FUZZ_SEED choose how much and which.
struct DatasetFuzzTests {
    private let cases = RunSize.value("FOVEA_FUZZ_CASES", standard: 1_200)
    private let firstSeed = UInt64(RunSize.value("FOVEA_FUZZ_SEED", standard: 1))

    private var seeds: Range<UInt64> { firstSeed..<firstSeed + UInt64(cases) }

    /// A row in the service's own form.
    private static let native = """
        {"row_id":"x","images":[{"path":"images/a.png","name":"a"}],"turns":[{"role":"user",\
        "parts":[{"image_index":0},{"text":"Which?"}]},{"role":"assistant","parts":[{"text":\
        "cat"}]}],"tags":["negative"],"group_values":{"litter":"1"},"attributes":{"a":"b"}}
        """

    @Test func aDamagedSourceIsReadRowByRow() async throws {
        let folder = NSTemporaryDirectory() + "fovea-fuzz-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: "\(folder)/images", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let sources =
            ImportTests.sources.map { ($0.name, $0.text, $0.format) }
            + [("rows.jsonl", Self.native, .fovea)]
        // Files cost more than bytes in memory.
        for seed in seeds.prefix(max(1, cases / 4)) {
            var random = SeededRandom(seed: seed)
            let (name, text, format) = sources[Int(seed) % sources.count]
            // Several rows, so that damage to one must leave others.
            var bytes = Array((format == .csv || format == .vlmevalkit ? text : text + "\n").utf8)
            if name.hasSuffix("jsonl") { bytes += bytes + bytes }
            for _ in 0..<Int.random(in: 1...4, using: &random) { random.damage(&bytes) }
            let path = "\(folder)/\(name)"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            _ = try? ImportFormat.detect(path)
            try await check(path, format, folder, lines: bytes.count { $0 == 0x0a }, seed)
        }
    }

    /// Reads a source; rows are numbered in order, and no image lies outside of the folder.
    private func check(
        _ path: String, _ format: ImportFormat, _ folder: String, lines: Int, _ seed: UInt64
    ) async throws {
        let root = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
        let last = Lock<UInt64>(0)
        do {
            try await format.rows(of: path, columns: TableColumns(), images: folder)
                .forEach { row in
                    last.with { last in
                        #expect(row.number > last, "seed \(seed)")
                        last = row.number
                    }
                    if let problem = row.problem?.problem {
                        #expect(problem.reason != .unspecified, "seed \(seed)")
                        #expect(!problem.message.isEmpty, "seed \(seed)")
                    }
                    for image in row.images {
                        if case .file(let file) = image {
                            #expect(file.hasPrefix(root + "/"), "seed \(seed)")
                        }
                    }
                    let row = row.checked
                    #expect((try? row.row.encoded()) != nil || row.problem != nil, "seed \(seed)")
                }
        } catch let error as ImportError {
            #expect(!error.message.isEmpty, "seed \(seed)")
        }
    }

    private static let files: [[UInt8]] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/images")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { !$0.hasSuffix(".safetensors") }
            .compactMap { try? Array(Data(contentsOf: folder.appending(path: $0))) }
    }()

    @Test func aDamagedImageIsTakenWholeOrRefused() throws {
        try #require(!Self.files.isEmpty)
        let limits = Messages.ImageLimits.with {
            ($0.sidePixelsMin, $0.sidePixelsMax, $0.areaPixelsMax) = (1, 4_096, 1 << 18)
        }
        for seed in seeds {
            var random = SeededRandom(seed: seed)
            var bytes = Self.files.randomElement(using: &random) ?? []
            // Every eighth is as it was: most of those are to be taken.
            for _ in 0..<(seed % 8) / 2 { random.damage(&bytes) }
            let upload = Bytes(bytes)
            do throws(Rejection) {
                let picture = try Picture(upload, upload: upload.sha256, limits: limits)
                try check(picture, of: upload, seed)
            } catch {
                #expect(error.problem.reason != .unspecified, "seed \(seed)")
                #expect(!error.problem.message.contains("\0"), "seed \(seed)")
            }
        }
    }

    /// What is stored decodes upright, to the pixels of the upload unless it had to be encoded
    /// anew, and holds nothing more that could be taken out.
    private func check(_ picture: Picture, of upload: Bytes, _ seed: UInt64) throws(Rejection) {
        guard let stored = picture.bytes else {
            Issue.record("seed \(seed): nothing to store")
            return
        }
        do throws(ImageError) {
            let options = DecodeOptions(limits: Images.ImageLimits(pixelsMax: 1 << 18))
            let again = try DecodedImage(decoding: stored, options)
            #expect(again.image.width == picture.width, "seed \(seed)")
            #expect(again.image.height == picture.height, "seed \(seed)")
            #expect(again.header.orientation == .upright, "seed \(seed)")
            let format = again.header.format
            #expect(ImageMetadata.stripped(stored, format) == stored, "seed \(seed)")
            // An upload may lack no more than the padding behind its picture.
            guard let original = try? DecodedImage(decoding: upload, options) else { return }
            // A JPEG that lies turned, or whose parts cannot be told apart, is encoded anew.
            let isKept =
                original.header.orientation == .upright
                && ImageMetadata.stripped(upload, original.header.format) != nil
            if format != .jpeg || isKept {
                let isSame = again.image == original.image
                #expect(isSame, "seed \(seed)")
            }
        } catch {
            Issue.record("seed \(seed): what was stored cannot be read: \(error.message)")
        }
        #expect(stored.sha256 == picture.digest, "seed \(seed)")
    }

    @Test func aDamagedRowIsCheckedWithoutHarm() throws {
        var dataset = Dataset()
        dataset.task = .extraction
        dataset.groupKeys = ["litter"]
        dataset.answerSchema = .with { $0.jsonSchema = #"{"type": "object"}"# }
        let rules = RowRules(dataset)
        var row = Pets.row("x", image: Bytes(), answer: "{}", litter: "1")
        row.regions = [.with { $0.xMaxPixels = 3 }]
        row.votes = [.with { ($0.annotator, $0.answer) = ("a", "{}") }]
        let whole = try row.encoded().withUnsafeBytes { Array($0) }
        var decoded = 0
        for seed in seeds {
            var random = SeededRandom(seed: seed)
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) { random.damage(&bytes) }
            guard let row = try? IngestRow(decoding: Bytes(bytes)) else { continue }
            decoded += 1
            let turns = rules.completed(row.turns, imageCount: row.images.count)
            let sizes = row.images.map { _ in Optional((width: 8, height: 8)) }
            for problem in rules.problems(row, turns: turns, sizes: sizes) {
                #expect(!problem.message.isEmpty, "seed \(seed)")
            }
        }
        #expect(decoded > 0 || cases < 20)
    }
}
