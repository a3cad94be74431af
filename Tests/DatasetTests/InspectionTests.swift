import Base
import Digests
import Images
import Messages
import RPC
import Resources
import Storage
import Testing

@testable import DatasetService

struct InspectionTests {
    private func inspect(
        _ harness: DatasetHarness, _ change: (inout InspectDatasetRequest) -> Void = { _ in }
    ) async throws -> InspectDatasetResponse {
        var request = InspectDatasetRequest()
        request.name = "datasets/pets"
        change(&request)
        return try await harness.client.call(Datasets.inspectDataset, request)
    }

    /// Noise of one strength around a level: neither dark nor light nor blurry.
    private static func flat(_ level: UInt8, width: Int = 32, height: Int = 24) throws -> Bytes {
        try RGBImage(width: width, height: height, filledWith: level).png(level: 1)
    }

    private func issues(_ report: InspectDatasetResponse) -> [String: UInt64] {
        Dictionary(uniqueKeysWithValues: report.imageIssues.map { ($0.name, $0.itemCount) })
    }

    @Test func oddImagesAreNamedWithWhatWasSeen() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let grey = try Pets.image(70).saturated(0)
        try await harness.ingest(
            try Pets.rows(0..<12) + [
                Pets.row("dark", image: try Self.flat(3)),
                Pets.row("light", image: try Self.flat(252)),
                Pets.row("wide", image: try Pets.image(60, width: 400, height: 10).png()),
                Pets.row("large", image: try Pets.image(61, width: 320, height: 240).png()),
                Pets.row("grey", image: try grey.png()),
            ])
        let report = try await inspect(harness)
        #expect(report.exampleCount == 17)
        #expect(report.imageCount == 17)
        func found(_ issue: ImageIssue) -> Set<String> {
            Set(
                report.imageFindings.filter { $0.issue == issue }
                    .compactMap { $0.example.split(separator: "/").last.map(String.init) })
        }
        #expect(found(.dark) == ["dark"])
        #expect(found(.light) == ["light"])
        #expect(found(.blurry) == ["dark", "light"])
        #expect(found(.lowInformation) == ["dark", "light"])
        #expect(found(.oddAspect) == ["wide"])
        #expect(found(.oddSize) == ["large"])
        #expect(found(.greyscale) == ["dark", "light", "grey"])
        let dark = report.imageFindings.first { $0.issue == .dark }
        #expect(dark.map { $0.observed < 0.02 && $0.threshold == 0.2 } == true)
        #expect(report.imageStatistics.map(\.name).contains("sharpness"))
        #expect(report.imageStatistics.allSatisfy { $0.sampleCount == 17 })
        let lenient = try await inspect(harness) { $0.thresholds = ["dark": 0.001] }
        #expect(issues(lenient)["dark"] == nil)
        await harness.close()
    }

    @Test func duplicatesAreCountedOnceAndConflictsTold() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let picture = try Pets.image(900, width: 64, height: 64)
        let same = try Pets.image(901).png()
        try await harness.ingest(
            try Pets.rows(0..<10) + [
                Pets.row("near1", image: try picture.jpeg(quality: 95)),
                Pets.row("near2", image: try picture.jpeg(quality: 92)),
                Pets.row("same1", image: same, answer: "cat"),
                Pets.row("same2", image: same, answer: "dog"),
            ])
        let report = try await inspect(harness)
        #expect(report.duplicateClusterCount == 2)
        #expect(report.distinctImageCount == 12)
        #expect(issues(report)["exact_duplicate"] == 2)
        #expect(issues(report)["near_duplicate"] == 2)
        let clusters = Dictionary(
            uniqueKeysWithValues: report.duplicates.map { ($0.examples.sorted(), $0) })
        let exact = clusters[["datasets/pets/examples/same1", "datasets/pets/examples/same2"]]
        #expect(exact?.answersConflict == true)
        #expect(exact?.distanceBits == 0)
        let near = clusters[["datasets/pets/examples/near1", "datasets/pets/examples/near2"]]
        #expect(near?.answersConflict == false)
        #expect(report.size?.rowCount == 14)
        #expect(report.size?.distinctCount == 12)
        let strict = try await inspect(harness) {
            ($0.hashDistanceMax, $0.parts) = (0, [.duplicates])
        }
        #expect(strict.imageFindings.isEmpty)
        #expect(strict.balance.isEmpty)
        #expect(strict.duplicateClusterCount >= 1)
        await harness.close()
    }

    @Test func classesScenariosQuotasAndSizeAreJudged() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { dataset in
            var parrot = AnswerClass()
            (parrot.name, parrot.rowCountMin) = ("parrot", 40)
            dataset.answerSchema?.classes.append(parrot)
        }
        var rows = try Pets.rows(0..<20)
        for index in rows.indices {
            rows[index].attributes["site"] = index < 15 ? "north" : "south"
            if index < 2 { rows[index].tags = ["negative"] }
        }
        rows.append(Pets.row("open", image: try Pets.image(99).png(), answer: nil))
        try await harness.ingest(rows)
        let report = try await inspect(harness) { $0.scenarioAttributes = ["site"] }
        let balance = Dictionary(uniqueKeysWithValues: report.balance.map { ($0.key, $0) })
        #expect(report.balance.first?.key == "parrot")
        #expect(balance["parrot"]?.exampleCount == 0)
        #expect(balance["parrot"]?.wantedCount == 40)
        // 500 rows, the least that the guide names, over three classes.
        #expect(balance["cat"]?.wantedCount == 167)
        #expect(balance["site=north"]?.exampleCount == 15)
        #expect(balance["tag:negative"]?.exampleCount == 2)
        #expect(report.imbalanceRatio == .infinity)
        let negative = report.quotas.first { $0.tag == "negative" }
        #expect(negative?.shareBasisPoints == 1_000)
        #expect(negative?.met == true)
        let ambiguous = report.quotas.first { $0.tag == "ambiguous" }
        #expect(ambiguous?.met == false)
        let size = try #require(report.size)
        #expect(size.rowCount == 20)
        #expect(size.verdict == .doNotTune)
        #expect(size.advice.map(\.source) == ["guide", "faq"])
        #expect(size.missing.first == NamedCount("cat", 157))
        #expect(size.missing.contains(NamedCount("tag:ambiguous", 1)))
        // The lowest part: 20 rows of the 500 that the guide names.
        #expect(report.qualityScore == 0.04)
        await harness.close()
    }

    @Test func answersThatBreakRulesAreNamedWithWhatIsMeant() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { dataset in
            (dataset.task, dataset.answerSchema) = (.generation, nil)
        }
        var rows: [IngestRow] = []
        for index in 0..<30 {
            let answer = index == 7 ? "scrached surface" : "scratched surface"
            rows.append(
                Pets.row("r\(index)", image: try Pets.image(index).png(level: 1), answer: answer))
        }
        rows.append(
            Pets.row("spaced", image: try Pets.image(80).png(), answer: " scratched surface"))
        rows.append(
            Pets.row(
                "long", image: try Pets.image(81).png(),
                answer: String(repeating: "scratched and ", count: 100)))
        try await harness.ingest(rows)
        let report = try await inspect(harness) { $0.parts = [.answerLint] }
        var found: [String: Set<String>] = [:]
        for finding in report.answerFindings {
            let name = finding.example.split(separator: "/").last.map(String.init) ?? ""
            found[name, default: []].insert(finding.problem?.seen ?? "")
        }
        #expect(found["r7"] == ["NEAR_VARIANT"])
        #expect(found["spaced"]?.contains("OUTER_WHITE_SPACE") == true)
        #expect(found["long"]?.contains("LENGTH_OUTLIER") == true)
        let meant = report.answerFindings.first { $0.example.hasSuffix("/r7") }
        #expect(meant?.suggestion == "scratched surface")
        #expect(report.answerFindingCount == UInt64(report.answerFindings.count))
        let few = try await inspect(harness) { ($0.parts, $0.findingsMax) = ([.answerLint], 1) }
        #expect(few.answerFindings.count == 1)
        #expect(few.answerFindingCount == report.answerFindingCount)
        await harness.close()
    }

    @Test func votesTellWhichAnswersAreProbablyWrong() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        var rows = try Pets.rows(0..<20)
        for index in rows.indices {
            let right = index.isMultiple(of: 2) ? "cat" : "dog"
            rows[index].votes = ["ann", "ben", "cleo"].map { name in
                .with { ($0.annotator, $0.answer) = (name, right) }
            }
            if index == 5 { rows[index].turns[1] = Turn(.assistant, "cat") }
        }
        try await harness.ingest(rows)
        let report = try await inspect(harness) { $0.parts = [.labelErrors] }
        #expect(report.labelFindingCount == 1)
        let finding = try #require(report.labelFindings.first)
        #expect(finding.example == "datasets/pets/examples/r5")
        #expect((finding.answer, finding.suggestedAnswer) == ("cat", "dog"))
        #expect(finding.quality < 0.1)
        let noise = try #require(report.labelNoise)
        #expect(abs(noise.value - 0.05) < 0.02)
        #expect(noise.sampleCount == 20)
        await harness.close()
    }

    @Test func aSecondInspectionOpensNoImage() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<40))
        let first = try await inspect(harness)
        let kept = try await harness.catalogue.reader.read { db in
            try db.first("SELECT count(*) FROM image_measures") { $0.int(0) }
        }
        #expect(kept == 40)
        let digests = try await harness.catalogue.reader.read { db in
            try db.rows("SELECT sha FROM images") { $0.digest(0) }
        }
        for digest in digests.compactMap({ $0 }) { harness.catalogue.blobs.remove(digest) }
        var second = try await inspect(harness)
        second.readTime = first.readTime
        #expect(second == first)
        await harness.close()
    }

    @Test func aVersionIsInspectedAsItWasFrozen() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<30))
        _ = try await harness.client.call(
            Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
        try await harness.ingest([Pets.row("later", image: try Pets.image(77).png())])
        let version = try await inspect(harness) { $0.name = "datasets/pets/versions/1" }
        #expect(version.exampleCount == 30)
        #expect(version.size?.rowCount == 30)
        let test = try await inspect(harness) {
            ($0.name, $0.filter) = ("datasets/pets/versions/latest", "split = TEST")
        }
        #expect(test.exampleCount > 0 && test.exampleCount < 30)
        #expect(try await inspect(harness).exampleCount == 31)
        await harness.close()
    }

    @Test func aPageNeedsNothingElseAndShowsRowsAsText() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets { dataset in
            (dataset.task, dataset.answerSchema) = (.generation, nil)
        }
        let evil = "<script>alert('x')</script>"
        try await harness.ingest([
            Pets.row(evil, image: try Self.flat(1), answer: "  \(evil)\" onload=\"x"),
            Pets.row("b", image: try Self.flat(1), answer: "other"),
        ])
        let report = try await inspect(harness) { $0.includeHtml = true }
        let page = try #require(report.html.text)
        #expect(page.hasPrefix("<!DOCTYPE html>"))
        #expect(page.hasSuffix("</html>\n"))
        #expect(!page.contains("<script"))
        #expect(page.contains("&lt;script&gt;"))
        #expect(!page.contains("http://") && !page.contains("https://"))
        #expect(page.contains("data:image/jpeg;base64,"))
        #expect(page.contains("<svg"))
        #expect(try await inspect(harness).html.isEmpty)
        await harness.close()
    }

    @Test func whatCannotBeAskedIsRefusedWithWhatCan() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        let empty = try await inspect(harness) { $0.includeHtml = true }
        #expect(empty.exampleCount == 0)
        #expect(empty.size?.verdict == .doNotTune)
        func refusal(_ change: @Sendable (inout InspectDatasetRequest) -> Void) async -> String? {
            let error = await #expect(throws: RPCError.self) {
                try await self.inspect(harness, change)
            }
            return error?.toldReason
        }
        #expect(await refusal { $0.hashDistanceMax = 17 } == "FIELD_INVALID")
        #expect(await refusal { $0.findingsMax = 10_001 } == "FIELD_INVALID")
        #expect(await refusal { $0.thresholds = ["gloomy": 1] } == "FIELD_INVALID")
        #expect(await refusal { $0.thresholds = ["dark": .nan] } == "FIELD_INVALID")
        #expect(await refusal { $0.filter = "colour = red" } == "FILTER_INVALID")
        #expect(await refusal { $0.name = "datasets/none" } == "RESOURCE_NOT_FOUND")
        await harness.close()
    }
}
