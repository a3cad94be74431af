import Base
import Foundation
import Images
import Messages
import RPC
import TestSupport
import Testing

@testable import DatasetService

/// What is wrong with a row is said, and the rows around it are taken.
struct BadInputTests {
    private static let goldens: URL =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Goldens/images")

    private static func golden(_ name: String) throws -> Bytes {
        Bytes(try Data(contentsOf: goldens.appending(path: name)))
    }

    /// A PNG whose header says so many pixels, with pixels for fewer.
    private static func png(width: UInt32, height: UInt32) throws -> Bytes {
        var bytes = try Pets.image(1).png().withUnsafeBytes { Array($0) }
        for (place, side) in [(16, width), (20, height)] {
            withUnsafeBytes(of: side.bigEndian) {
                bytes.replaceSubrange(place..<place + 4, with: $0)
            }
        }
        // The check sum of the header fits, so that only the pixels can tell.
        let sum = checkSum(bytes[12..<29])
        withUnsafeBytes(of: sum.bigEndian) { bytes.replaceSubrange(29..<33, with: $0) }
        return Bytes(bytes)
    }

    /// The cyclic check of PNG (annex D), bit by bit.
    private static func checkSum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { rest, _ in
                rest & 1 == 1 ? rest >> 1 ^ 0xedb8_8320 : rest >> 1
            }
        }
    }

    /// An image, the reason it is refused for, and words that the message holds.
    typealias BadImage = (
        name: String, bytes: @Sendable () throws -> Bytes, reason: FailureReason, words: [String]
    )
    static let images: [BadImage] = [
        ("a PNG cut off", { try half(Pets.image(1).png()) }, .imageUnreadable, ["PNG"]),
        ("a JPEG cut off", { try half(Pets.image(1).jpeg()) }, .imageUnreadable, ["JPEG"]),
        (
            "a PNG that lies about its height", { try png(width: 32, height: 300) },
            .imageUnreadable, ["PNG"]
        ),
        (
            "a bomb: few bytes that say 30,000 x 30,000 pixels",
            { try png(width: 30_000, height: 30_000) }, .imageTooLarge, ["30000", "100000000"]
        ),
        (
            "a side of 50,000 pixels", { try png(width: 50_000, height: 8) }, .imageTooLarge,
            ["50000", "30000"]
        ),
        ("no pixel", { try png(width: 0, height: 8) }, .imageTooSmall, ["0"]),
        (
            "one pixel", { try Pets.image(1, width: 1, height: 1).png() }, .imageTooSmall,
            ["1 x 1", "8"]
        ),
        ("text", { Bytes("a text named picture.png") }, .imageUnreadable, []),
        ("nothing", { Bytes() }, .imageUnreadable, []),
        ("an animated PNG", { try golden("png_animated.png") }, .imageTooLarge, ["frames"]),
        ("an animated WebP", { try golden("webp_animated.webp") }, .imageTooLarge, ["frames"]),
        ("a TIFF of pages", { try golden("tiff_pages.tif") }, .imageTooLarge, ["frames"]),
        (
            "a zip of zeros",
            { Bytes(Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 60)) },
            .imageUnreadable, []
        ),
    ]

    private static func half(_ bytes: Bytes) -> Bytes { bytes.slice(0..<(bytes.count / 2)) }

    @Test func badImagesAreRefusedByReasonAndTheRestIsTaken() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let good = try Pets.image(2).png()
        var rows: [IngestRow] = []
        for (number, bad) in Self.images.enumerated() {
            rows.append(Pets.row("bad\(number)", image: try bad.bytes()))
            rows.append(Pets.row("good\(number)", image: good))
        }
        let response = try await harness.ingest(rows)
        #expect(response.rowCount == UInt64(rows.count))
        #expect(response.acceptedCount == UInt64(Self.images.count))
        #expect(response.rejectedCount == UInt64(Self.images.count))
        #expect(response.newImageCount == 1)
        for (bad, report) in zip(Self.images, response.rows) {
            let problem = report.problems.first
            #expect(problem?.reason == bad.reason, "\(bad.name): \(report.problems)")
            #expect(problem?.field == "images[0]", "\(bad.name)")
            for word in bad.words {
                #expect(problem?.message.contains(word) == true, "\(bad.name): \(report.problems)")
            }
        }
        await harness.close()
    }

    @Test func sixteenBitsAndInksAreTaken() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.imageLimits = .with { $0.sidePixelsMin = 1 } }
        let names = [
            "png_2_16.png", "png_0_16.png", "jpeg_cmyk.jpg", "jpeg_ycck.jpg", "tiff_CMYK_raw.tif",
            "tiff_rgb16_le.tif", "webp_lossy_alpha.webp",
        ]
        let rows = try names.map { Pets.row($0, image: try Self.golden($0)) }
        let response = try await harness.ingest(rows)
        #expect(response.acceptedCount == UInt64(names.count), "\(response.rows)")
        await harness.close()
    }

    @Test func oneIdInOneUploadIsOneRow() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let (one, other) = (try Pets.image(1).png(), try Pets.image(2).png())
        let response = try await harness.ingest([
            Pets.row("same", image: one), Pets.row("same", image: one),
            Pets.row("same", image: other),
        ])
        #expect(response.acceptedCount == 1)
        #expect(response.duplicateCount == 1)
        #expect(response.rejectedCount == 1)
        #expect(response.rows.last?.problems.first?.reason == .rowIDConflict)
        await harness.close()
    }

    private static let schema = """
        {"type": "object", "required": ["total"], "additionalProperties": false,
         "properties": {"total": {"type": "number", "minimum": 0},
                        "currency": {"enum": ["EUR", "USD"]}}}
        """

    @Test func answersAreHeldAgainstTheSchema() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets {
            $0.task = .extraction
            $0.answerSchema = .with { $0.jsonSchema = Self.schema }
        }
        let image = try Pets.image(1).png()
        let answers = [
            (#"{"total": 3.5, "currency": "EUR"}"#, nil),
            (#"{"total": -3}"#, "/total"), (#"{"currency": "EUR"}"#, "/total"),
            (#"{"total": 1, "currency": "GBP"}"#, "GBP"), (#"{"total": 1, "sum": 1}"#, "/sum"),
            ("3.5 euros", "byte"), (#"{"total": "3"}"#, "number"),
        ]
        let rows = answers.enumerated().map {
            Pets.row("r\($0)", image: image, answer: $1.0)
        }
        let response = try await harness.ingest(rows)
        #expect(response.acceptedCount == 1)
        #expect(response.rows.count == answers.count - 1)
        for (answer, report) in zip(answers.dropFirst(), response.rows) {
            let problem = report.problems.first
            #expect(problem?.reason == .answerInvalid)
            #expect(problem?.field == "turns[1]")
            #expect(problem?.seen == answer.0)
            #expect(problem?.message.contains(answer.1 ?? "") == true, "\(report.problems)")
        }
        await harness.close()
    }

    @Test(arguments: [
        (AnswerTask.extraction, #"{"type": "object""#, "FIELD_INVALID"),
        (.extraction, #"{"patternProperties": {}}"#, "FIELD_INVALID"),
        (.generation, #"{"type": "object"}"#, "FIELDS_CONFLICT"),
    ])
    func aSchemaThatCannotBeCheckedIsRefused(
        task: AnswerTask, schema: String, reason: String
    ) async throws {
        let harness = try DatasetHarness()
        let error = await #expect(throws: RPCError.self) {
            try await harness.createPets {
                $0.task = task
                $0.answerSchema = .with { $0.jsonSchema = schema }
            }
        }
        #expect(error?.toldReason == reason)
        #expect(error?.message.contains("schema") == true)
        await harness.close()
    }

    /// Hundreds of megabytes under one key are read and thrown away, not kept.
    @Test func anUploadWithoutEndCostsNoMemory() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.imageLimits = .with { $0.encodedBytesMax = 1 << 20 } }
        let piece = Bytes([UInt8](repeating: 7, count: 1 << 20))
        let before = ProcessMemory.residentBytes()
        let response = try await harness.client.call(Datasets.ingestExamples) { requests in
            try await requests.write(
                DatasetHarness.request(.header(.with { $0.parent = "datasets/pets" })))
            for number in 0..<500 {
                try await requests.write(
                    DatasetHarness.request(
                        .image(
                            .with {
                                ($0.uploadKey, $0.content) = ("endless", piece)
                                $0.last = number == 499
                            })))
            }
            var row = Pets.row("r", image: piece)
            row.images[0].source = .uploadKey("endless")
            try await requests.write(DatasetHarness.request(.row(row)))
        }
        let problem = try #require(response.rows.first?.problems.first)
        #expect(problem.reason == .imageTooLarge)
        #expect(problem.seen.contains("524288000") && problem.seen.contains("1048576"))
        // The address sanitizer keeps 256 MiB of what was freed.
        #expect(ProcessMemory.residentBytes() - before < 400 << 20)
        await harness.close()
    }
}
