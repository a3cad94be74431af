import Base
import Digests
import Foundation
import Images
import Messages
import RPC
import Storage
import Testing

@testable import DatasetService

struct VersionTests {
    private func freeze(
        _ harness: DatasetHarness, _ change: (inout FreezeVersionRequest) -> Void = { _ in }
    ) async throws -> FreezeVersionResponse {
        var request = FreezeVersionRequest()
        request.parent = "datasets/pets"
        change(&request)
        return try await harness.client.call(Datasets.freezeVersion, request)
    }

    private func stream(
        _ harness: DatasetHarness, _ change: (inout StreamExamplesRequest) -> Void = { _ in }
    ) async throws -> [StreamExamplesResponse] {
        var request = StreamExamplesRequest()
        request.version = "datasets/pets/versions/latest"
        request.split = .train
        change(&request)
        var all: [StreamExamplesResponse] = []
        for try await response in try await harness.client.call(Datasets.streamExamples, request) {
            all.append(response)
        }
        return all
    }

    private func names(_ responses: [StreamExamplesResponse]) -> [String] {
        responses.compactMap { response in
            if case .example(let row)? = response.part { row.example } else { nil }
        }
    }

    /// 100 rows in litters of two, and four rows that show the same picture all but bit for bit.
    private func filled() async throws -> DatasetHarness {
        let harness = try DatasetHarness()
        try await harness.createPets()
        var rows = try Pets.rows(0..<100)
        for index in rows.indices { rows[index].groupValues["litter"] = "\(index / 2)" }
        let picture = try Pets.image(1_000, width: 64, height: 64)
        for quality in [100, 95, 92, 91] {
            rows.append(Pets.row("near\(quality)", image: try picture.jpeg(quality: quality)))
        }
        #expect(try await harness.ingest(rows).acceptedCount == 104)
        return harness
    }

    @Test func aVersionDividesAllRowsWithoutLeaksAndForEver() async throws {
        let harness = try await filled()
        let first = try await freeze(harness)
        let version = try #require(first.version)
        #expect(version.name == "datasets/pets/versions/1")
        #expect(version.exampleCount == 104)
        #expect(version.splits.map(\.exampleCount).reduce(0, +) == 104)
        #expect(version.splits.allSatisfy { $0.exampleCount > 0 })
        let certificate = try #require(version.certificate)
        #expect(certificate.sharedImageCount + certificate.sharedClusterCount == 0)
        #expect(certificate.sharedGroupCount == 0)
        #expect(certificate.clusterCount == 1)
        #expect(certificate.groupCounts == [NamedCount("litter", 50)])
        #expect(version.warnings.contains { $0.reason == .splitTooSmall })
        let again = try await freeze(harness)
        #expect(again.alreadyExisted)
        #expect(again.version?.contentSha256 == version.contentSha256)
        let other = try await freeze(harness) { $0.splitSpec = .with { $0.seed = 9 } }
        #expect(other.version?.versionNumber == 2)
        #expect(other.version?.contentSha256 != version.contentSha256)
        try await harness.ingest([Pets.row("r0", image: try Pets.image(0).png(), answer: "dog")]) {
            $0.conflictPolicy = .replace
        }
        let old = try await harness.client.call(
            Datasets.getVersion, .with { $0.name = version.name })
        #expect(old == version)
        await harness.close()
    }

    @Test func aRepeatedRequestToFreezeGetsTheFirstAnswer() async throws {
        let harness = try await filled()
        let id = "0b8f6f0e-9c55-4b0e-9f4e-3f2f3c1f7f10"
        let first = try await freeze(harness) { $0.requestID = id }
        #expect(!first.alreadyExisted)
        // The rows have changed, yet the answer to the same request has not.
        try await harness.ingest([Pets.row("late", image: try Pets.image(500).png())])
        let again = try await freeze(harness) { $0.requestID = id }
        #expect(again == first)
        let error = await #expect(throws: RPCError.self) {
            try await self.freeze(harness) { ($0.requestID, $0.description) = (id, "other") }
        }
        #expect(error?.toldReason == "REQUEST_ID_REUSED")
        let versions = try await harness.client.call(
            Datasets.listVersions, .with { $0.parent = "datasets/pets" }
        ).versions
        #expect(versions.map(\.name) == ["datasets/pets/versions/1"])
        await harness.close()
    }

    @Test func freezingTheSameAtOnceGivesOneVersion() async throws {
        let harness = try await filled()
        let client = harness.client
        let answers = try await withThrowingTaskGroup(of: FreezeVersionResponse.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await client.call(
                        Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers.compactMap(\.version?.name)).count == 1)
        #expect(answers.count { !$0.alreadyExisted } == 1)
        let rows = try await harness.catalogue.reader.read { db in
            try db.first("SELECT count(*) FROM version_rows") { $0.int(0) }
        }
        #expect(rows == 104)
        await harness.close()
    }

    @Test func groupsAndNearDuplicatesStayTogether() async throws {
        let harness = try await filled()
        _ = try await freeze(harness)
        let rows = try await harness.client.call(
            Datasets.listExamples,
            .with {
                $0.parent = "datasets/pets/versions/1"
                $0.pageSize = 1_000
            }
        ).examples
        #expect(rows.count == 104)
        var splitOfLitter: [String: Set<SplitKind>] = [:]
        for row in rows {
            splitOfLitter[row.groupValues["litter"] ?? "near", default: []].insert(row.split)
        }
        #expect(splitOfLitter.values.allSatisfy { $0.count == 1 })
        await harness.close()
    }

    @Test func classesKeepTheirSharesInEverySplit() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        var rows = try Pets.rows(0..<90)
        for number in rows.indices {
            rows[number].turns[1] = Turn(.assistant, number % 9 == 0 ? "dog" : "cat")
        }
        try await harness.ingest(rows)
        let spec = SplitSpec.with {
            ($0.testBasisPoints, $0.validationBasisPoints) = (3_000, 1_000)
        }
        let version = try #require(try await freeze(harness) { $0.splitSpec = spec }.version)
        for (split, share) in zip(version.splits, [0.6, 0.1, 0.3]) {
            #expect(split.stratumDeviationRowsMax <= 1)
            for (name, count) in [("cat", 80.0), ("dog", 10.0)] {
                let rows = split.strata.first { $0.name == name }?.itemCount ?? 0
                #expect(abs(Double(rows) - count * share) <= 1, "\(split.split) \(name)")
            }
        }
        await harness.close()
    }

    @Test func undecidedRowsAreNamedOrLeftOut() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(
            try Pets.rows(0..<20) + [Pets.row("open", image: try Pets.image(50).png(), answer: nil)]
        )
        let error = await #expect(throws: RPCError.self) { try await self.freeze(harness) }
        #expect(error?.toldReason == "ROWS_UNDECIDED")
        #expect(error?.message.contains("examples/open") == true)
        let frozen = try await freeze(harness) { $0.skipUndecided = true }
        #expect(frozen.leftOut == [NamedCount("undecided", 1)])
        #expect(frozen.version?.exampleCount == 20)
        await harness.close()
    }

    @Test func aStreamSendsEachRowOnceAndGoesOnFromAnyCursor() async throws {
        let harness = try await filled()
        let version = try await freeze(harness).version
        let whole = try await stream(harness) {
            ($0.shuffle, $0.seed, $0.epochCount) = (true, 3, 2)
        }
        let count = Int(version?.splits.first?.exampleCount ?? 0)
        #expect(whole.count == 2 * (count + 1))
        let sent = names(whole)
        #expect(Set(sent).count == count)
        #expect(Array(sent[..<count]) != Array(sent[count...]))
        #expect(Set(sent[..<count]) == Set(sent[count...]))
        for place in [0, 1, count / 2, count, count + 1, whole.count - 2] {
            let cursor = whole[place].cursor
            #expect(cursor.count <= 128)
            let rest = try await stream(harness) {
                ($0.shuffle, $0.seed, $0.epochCount, $0.cursor) = (true, 3, 2, cursor)
            }
            #expect(names(rest) == names(Array(whole[(place + 1)...])), "from \(place)")
        }
        let error = await #expect(throws: RPCError.self) {
            try await self.stream(harness) {
                ($0.shuffle, $0.seed, $0.cursor) = (true, 4, whole[1].cursor)
            }
        }
        #expect(error?.toldReason == "CURSOR_INVALID")
        await harness.close()
    }

    @Test(arguments: [false, true])
    func shardsTogetherAreTheWhole(shuffle: Bool) async throws {
        let harness = try await filled()
        _ = try await freeze(harness)
        let whole = names(try await stream(harness) { ($0.shuffle, $0.seed) = (shuffle, 3) })
        var shards: [String?] = whole.map { _ in nil }
        for index in 0..<3 {
            let shard = try await stream(harness) {
                ($0.shuffle, $0.seed, $0.shardIndex, $0.shardCount) =
                    (shuffle, 3, UInt32(index), 3)
            }
            for (number, name) in names(shard).enumerated() { shards[number * 3 + index] = name }
            guard case .epochStart(let start)? = shard.first?.part else { continue }
            #expect(Int(start.rowCount) == shard.count - 1)
        }
        #expect(shards == whole)
        await harness.close()
    }

    @Test func streamedImagesAreTheStoredOnesOrSmaller() async throws {
        let harness = try await filled()
        _ = try await freeze(harness)
        for side in [UInt32(0), 16] {
            let rows = try await stream(harness) { $0.imageSidePixelsMax = side }
            for response in rows {
                guard case .example(let row)? = response.part else { continue }
                let image = try #require(row.images.first)
                if side == 0 {
                    #expect(image.content.sha256.hex == image.imageSha256)
                } else {
                    #expect(max(image.widthPixels, image.heightPixels) == side)
                }
            }
        }
        await harness.close()
    }

    @Test func anErasedRowIsMissedByNameAndSkipped() async throws {
        let harness = try await filled()
        let before = try #require(try await freeze(harness).version)
        let all = names(try await stream(harness))
        let gone = try #require(all.first)
        let response = try await harness.client.call(
            Datasets.deleteExample,
            .with {
                $0.name = gone
                $0.reason = "asked to"
            })
        #expect(response.affectedVersions == [before.name])
        let after = try await harness.client.call(
            Datasets.getVersion, .with { $0.name = before.name })
        #expect(after.erasedCount == 1)
        #expect(after.contentSha256 == before.contentSha256)
        let rest = try await stream(harness)
        #expect(names(rest) == Array(all.dropFirst()))
        guard case .epochStart(let start)? = rest.first?.part else {
            Issue.record("no begin of an epoch")
            return
        }
        #expect(start.erasedCount == 1)
        #expect(Int(start.rowCount) == all.count - 1)
        await harness.close()
    }

    @Test func aDifferenceNamesEveryRowThatChanged() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<40))
        _ = try await freeze(harness)
        var changed = Pets.row("r0", image: try Pets.image(0).png(), answer: "dog")
        var tagged = Pets.row("r2", image: try Pets.image(2).png(), answer: "cat")
        tagged.tags = ["negative"]
        changed.tags = []
        try await harness.ingest(
            [changed, tagged, Pets.row("new", image: try Pets.image(99).png())]
        ) { $0.conflictPolicy = .replace }
        _ = try await harness.client.call(
            Datasets.deleteExample,
            .with {
                $0.name = "datasets/pets/examples/r4"
                $0.reason = "asked to"
            })
        _ = try await freeze(harness) {
            $0.splitSpec = .with { $0.extendVersion = "datasets/pets/versions/1" }
        }
        let diff = try await harness.client.call(
            Datasets.diffVersions,
            .with {
                $0.oldVersion = "datasets/pets/versions/1"
                $0.newVersion = "datasets/pets/versions/2"
            })
        let found = Dictionary(
            uniqueKeysWithValues: diff.differences.map { ($0.example, $0.change) })
        #expect(
            found == [
                "datasets/pets/examples/r0": .answer, "datasets/pets/examples/r2": .content,
                "datasets/pets/examples/r4": .removed, "datasets/pets/examples/new": .added,
            ])
        #expect(diff.unchangedCount == 37)
        let answer = diff.differences.first { $0.change == .answer }
        #expect(answer?.oldAnswer == "cat" && answer?.newAnswer == "dog")
        await harness.close()
    }

    @Test func aHalfFrozenVersionIsGoneAfterARestart() async throws {
        let folder = NSTemporaryDirectory() + "fovea-frozen-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let catalogue = try Catalogue(folder: folder)
            _ = try await catalogue.create(
                .with { $0.dataset = .with { $0.task = .generation } })
            try await catalogue.writer.write { db in
                try db.run(
                    "INSERT INTO versions(dataset_id, number, state, create_ns) VALUES(1, 1, 1, 0)")
            }
        }
        let again = try Catalogue(folder: folder)
        let count = try await again.reader.read { db in
            try db.first("SELECT count(*) FROM versions") { $0.int(0) }
        }
        #expect(count == 0)
    }

    @Test(arguments: [1, 2, 3, 10, 1_000, 4_097])
    func anOrderHoldsEachNumberOnce(count: Int) {
        let order = SeededOrder(count: count, seed: 5, epoch: 1)
        let numbers = (0..<count).map { order[$0] }
        #expect(numbers.sorted() == Array(0..<count))
        #expect((0..<count).allSatisfy { order.place(of: numbers[$0]) == $0 })
    }
}
