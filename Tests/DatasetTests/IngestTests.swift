import Base
import Digests
import Images
import Messages
import RPC
import Storage
import Testing

@testable import DatasetService

struct IngestTests {
    @Test func rowsAreStoredOnceHoweverOftenTheyCome() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let rows = try Pets.rows(0..<600)
        let first = try await harness.ingest(rows)
        #expect(first.rowCount == 600)
        #expect(first.acceptedCount == 600)
        #expect(first.newImageCount == 600)
        let again = try await harness.ingest(rows)
        #expect(again.duplicateCount == 600)
        #expect(again.acceptedCount + again.rejectedCount == 0)
        let dataset = try await harness.client.call(
            Datasets.getDataset, .with { $0.name = "datasets/pets" })
        #expect(dataset.exampleCount == 600)
        #expect(dataset.imageCount == 600)
        await harness.close()
    }

    @Test func aRowComesBackAsItWasSent() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        var row = Pets.row("a/b c%", image: try Pets.image(1).png(), litter: "7")
        row.tags = ["negative", "low_quality"]
        row.attributes = ["site": "north"]
        row.passthroughJSON = #"{"extra":[1,2]}"#
        row.regions = [
            .with {
                $0.label = "ear"
                ($0.xMaxPixels, $0.yMaxPixels) = (10, 10)
            }
        ]
        row.rights = .with { $0.licence = "CC0-1.0" }
        let response = try await harness.ingest([row]) { $0.reportAccepted = true }
        let name = try #require(response.rows.first?.example)
        #expect(name == "datasets/pets/examples/a%2Fb%20c%25")
        let stored = try await harness.client.call(
            Datasets.getExample,
            .with {
                $0.name = name
                $0.includeContent = true
            })
        #expect(stored.rowID == row.rowID)
        #expect(stored.turns == row.turns)
        #expect(stored.tags == ["low_quality", "negative"])
        #expect(stored.groupValues == ["litter": "7"])
        #expect(stored.attributes == row.attributes)
        #expect(stored.regions == row.regions)
        #expect(stored.rights == row.rights)
        #expect(stored.passthroughJSON == row.passthroughJSON)
        #expect(stored.state == .decided)
        #expect(stored.images.map(\.displayName) == ["a/b c%.png"])
        let image = try #require(stored.images.first)
        #expect(image.content.sha256.hex == image.imageSha256)
        #expect(try DecodedImage(decoding: image.content).image == Pets.image(1))
        await harness.close()
    }

    @Test func theSameImageIsStoredOnce() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let image = try Pets.image(1).png()
        let response = try await harness.ingest(
            (0..<4).map { Pets.row("r\($0)", image: image) })
        #expect(response.acceptedCount == 4)
        #expect(response.newImageCount == 1)
        #expect(response.knownImageCount == 3)
        var named = Pets.row("named", image: image)
        named.images[0].source = .imageSha256(image.sha256.hex)
        let byName = try await harness.ingest([named])
        #expect(byName.acceptedCount == 1)
        await harness.close()
    }

    @Test func imagesInPiecesServeSeveralRows() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let image = try Pets.image(1).png()
        let half = image.count / 2
        let pieces = [image.slice(0..<half), image.slice(half..<image.count)].enumerated().map {
            number, bytes in
            ImageUpload.with {
                $0.uploadKey = "k"
                $0.content = bytes
                $0.last = number == 1
            }
        }
        let rows = (0..<2).map { number in
            var row = Pets.row("r\(number)", image: image)
            row.images[0].source = .uploadKey("k")
            return row
        }
        let response = try await harness.ingest(rows, uploads: pieces)
        #expect(response.acceptedCount == 2)
        #expect(response.newImageCount == 1)
        await harness.close()
    }

    /// A change to a good row, what it is refused for, and the field that is named.
    typealias Fault = (
        name: String, change: @Sendable (inout IngestRow) throws -> Void, FailureReason, String
    )
    static let faults: [Fault] =
        [
            (
                "a text file", { $0.images[0].source = .content(Bytes("just text")) },
                .imageUnreadable, "images[0]"
            ),
            (
                "a truncated image",
                { row in
                    let whole = try Pets.image(1, width: 64, height: 64).jpeg()
                    row.images[0].source = .content(whole.slice(0..<(whole.count / 2)))
                }, .imageUnreadable, "images[0]"
            ),
            (
                "one pixel",
                {
                    $0.images[0].source = .content(try Pets.image(1, width: 1, height: 1).png())
                },
                .imageTooSmall, "images[0]"
            ),
            (
                "50,000 pixels a side",
                {
                    $0.images[0].source = .content(
                        try Pets.image(1, width: 50_000, height: 8).png(level: 1))
                }, .imageTooLarge, "images[0]"
            ),
            (
                "an image without a place",
                { row in row.turns[0].parts = [.text("no place")] }, .imagePlaceholderMismatch,
                "turns"
            ),
            (
                "two images and one place", { row in row.images.append(row.images[0]) },
                .imagePlaceholderMismatch, "turns"
            ),
            (
                "an empty answer", { $0.turns[1] = Turn(.assistant, " \n") }, .answerEmpty,
                "turns[1]"
            ),
            (
                "a class outside the schema", { $0.turns[1] = Turn(.assistant, "cow") },
                .answerInvalid, "turns[1]"
            ),
            (
                "two questions in a row", { $0.turns.insert(Turn(.user, "and?"), at: 1) },
                .turnsInvalid, "turns[1].role"
            ),
            (
                "a region outside", { $0.regions = [.with { $0.xMaxPixels = 33 }] },
                .regionInvalid, "regions[0]"
            ),
            ("a strange tag", { $0.tags = ["Not Good"] }, .fieldInvalid, "tags[0]"),
            (
                "an unknown group key", { $0.groupValues = ["patient": "1"] }, .fieldInvalid,
                "group_values.patient"
            ),
            (
                "an unknown image", { $0.images[0].source = .uploadKey("nowhere") },
                .imageNotFound, "images[0]"
            ),
        ]

    @Test func badRowsAreRefusedOneByOneAndTheRestIsTaken() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let image = try Pets.image(1).png()
        var rows: [IngestRow] = []
        for (number, fault) in Self.faults.enumerated() {
            var bad = Pets.row("bad\(number)", image: image)
            try fault.change(&bad)
            rows += [bad, Pets.row("good\(number)", image: image)]
        }
        let response = try await harness.ingest(rows)
        #expect(response.acceptedCount == UInt64(Self.faults.count))
        #expect(response.rejectedCount == UInt64(Self.faults.count))
        #expect(response.rejections.reduce(0) { $0 + $1.itemCount } == response.rejectedCount)
        for (fault, report) in zip(Self.faults, response.rows) {
            let problem = report.problems.first { $0.reason == fault.2 }
            #expect(problem?.field == fault.3, "\(fault.name): \(report.problems)")
            #expect(problem?.seen.isEmpty == false)
            #expect(problem?.allowed.isEmpty == false)
        }
        await harness.close()
    }

    @Test func anImageBeyondTheLimitIsRefusedWithBothNumbers() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { $0.imageLimits = .with { $0.encodedBytesMax = 2_000_000 } }
        let piece = Bytes([UInt8](repeating: 7, count: 1 << 20))
        let pieces = (0..<4).map { number in
            ImageUpload.with {
                $0.uploadKey = "huge"
                $0.content = piece
                $0.last = number == 3
            }
        }
        var row = Pets.row("r", image: piece)
        row.images[0].source = .uploadKey("huge")
        let response = try await harness.ingest([row], uploads: pieces)
        let problem = try #require(response.rows.first?.problems.first)
        #expect(problem.reason == .imageTooLarge)
        #expect(problem.seen.contains("4194304") && problem.seen.contains("2000000"))
        await harness.close()
    }

    @Test func aKnownIdWithOtherContentIsRefusedOrReplaced() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let image = try Pets.image(1).png()
        try await harness.ingest([Pets.row("r", image: image, answer: "cat")])
        let changed = [Pets.row("r", image: image, answer: "dog")]
        let refused = try await harness.ingest(changed)
        #expect(refused.rows.first?.problems.first?.reason == .rowIDConflict)
        let replaced = try await harness.ingest(changed) { $0.conflictPolicy = .replace }
        #expect(replaced.acceptedCount == 1)
        let stored = try await harness.client.call(
            Datasets.getExample, .with { $0.name = "datasets/pets/examples/r" })
        #expect(stored.answer == "dog")
        await harness.close()
    }

    @Test func validatingKeepsNothing() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let response = try await harness.ingest(try Pets.rows(0..<3)) { $0.validateOnly = true }
        #expect(response.acceptedCount == 3)
        #expect(response.validatedOnly)
        let list = try await harness.client.call(
            Datasets.listExamples, .with { $0.parent = "datasets/pets" })
        #expect(list.totalCount == 0)
        var blobs = 0
        try harness.catalogue.blobs.eachDigest { _ in blobs += 1 }
        #expect(blobs == 0)
        await harness.close()
    }

    @Test func rowsAreListedByFilterAndPage() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<30))
        var request = ListExamplesRequest()
        request.parent = "datasets/pets"
        request.pageSize = 4
        for filter in ["", "answer = dog"] {
            request.filter = filter
            request.pageToken = ""
            var found: [String] = []
            repeat {
                let page = try await harness.client.call(Datasets.listExamples, request)
                #expect(page.totalCount == (filter.isEmpty ? 30 : 15))
                found += page.examples.map(\.rowID)
                request.pageToken = page.nextPageToken
            } while !request.pageToken.isEmpty
            let wanted = (0..<30).filter { filter.isEmpty || $0 % 2 == 1 }.map { "r\($0)" }
            #expect(found == wanted.sorted())
        }
        await harness.close()
    }

    @Test func anErasedRowLeavesNoBytesAndDoesNotComeBack() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let shared = try Pets.image(1).png()
        let own = try Pets.image(2).png()
        var row = Pets.row("gone", image: shared)
        row.images.append(Pets.row("", image: own).images[0])
        row.turns[0].parts.append(.image(1))
        row.attributes = ["name": "Minka Mustermann"]
        try await harness.ingest([row, Pets.row("stays", image: shared)])
        let response = try await harness.client.call(
            Datasets.deleteExample,
            .with {
                $0.name = "datasets/pets/examples/gone"
                $0.reason = "asked to"
            })
        #expect(response.erasedImageCount == 1)
        #expect(response.sharedImageCount == 1)
        #expect(!harness.catalogue.blobs.contains(own.sha256))
        #expect(harness.catalogue.blobs.contains(shared.sha256))
        let error = await #expect(throws: RPCError.self) {
            try await harness.client.call(
                Datasets.getExample, .with { $0.name = "datasets/pets/examples/gone" })
        }
        #expect(error?.toldReason == "ERASED")
        for file in ["catalogue.sqlite", "catalogue.sqlite-wal"] {
            let bytes = try SmallFile.read("\(harness.folder)/\(file)").get()
            let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            #expect(!text.contains("Mustermann"), "\(file)")
        }
        let again = try await harness.ingest([row])
        #expect(again.rows.first?.problems.first?.reason == .erased)
        await harness.close()
    }

    @Test func metadataIsTakenOutAndThePictureStandsUpright() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let image = try Pets.image(3, width: 40, height: 16)
        let plain = try image.jpeg(quality: 95)
        // A segment APP1 with an orientation of 6: turned right by a quarter.
        let exif: [UInt8] =
            Array("Exif\0\0MM\0*\0\0\0\u{8}".utf8) + [0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]
            + [0, 0, 0, 0] + Array("SECRET PLACE".utf8)
        let count = exif.count + 2
        let bytes = plain.withUnsafeBytes { Array($0) }
        let tagged =
            Array(bytes[..<2]) + [0xff, 0xe1, UInt8(count >> 8), UInt8(count & 255)] + exif
            + Array(bytes[2...]) + Array("TRAILER".utf8)
        try await harness.ingest([
            Pets.row("turned", image: Bytes(tagged)),
            Pets.row("plain", image: plain),
        ])
        for (id, size) in [("turned", (16, 40)), ("plain", (40, 16))] {
            let stored = try await harness.client.call(
                Datasets.getExample,
                .with {
                    $0.name = "datasets/pets/examples/\(id)"
                    $0.includeContent = true
                })
            let content = try #require(stored.images.first?.content)
            #expect(try ImageHeader(reading: content).width == size.0)
            #expect(try ImageHeader(reading: content).orientation == .upright)
            let text = content.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            #expect(!text.contains("SECRET") && !text.contains("TRAILER"))
        }
        await harness.close()
    }
}
