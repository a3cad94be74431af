import Base
import Foundation
import Glibc
import Images
import Messages
import RPC
import Storage
import Testing

@testable import DatasetService

/// A disk that is full or cannot be written: the caller is told, and nothing acknowledged is lost.
struct DiskTests {
    /// Sends rows until the service refuses; returns those acknowledged, and the refusal.
    private func fill(
        _ client: Client, _ rows: (Int) throws -> [IngestRow]
    ) async throws -> (acknowledged: Set<String>, error: RPCError?) {
        var acknowledged = Set<String>()
        for call in 0..<2_000 {
            let some = try rows(call)
            do throws(RPCError) {
                let response = try await client.call(Datasets.ingestExamples) { requests in
                    try await requests.write(
                        DatasetHarness.request(.header(.with { $0.parent = "datasets/pets" })))
                    for row in some { try await requests.write(DatasetHarness.request(.row(row))) }
                }
                #expect(response.acceptedCount == UInt64(some.count))
                acknowledged.formUnion(some.map(\.rowID))
            } catch {
                return (acknowledged, error)
            }
        }
        return (acknowledged, nil)
    }

    private func rowIDs(_ client: Client) async throws -> Set<String> {
        let page = try await client.call(
            Datasets.listExamples, .with { ($0.parent, $0.pageSize) = ("datasets/pets", 1_000) })
        #expect(page.nextPageToken.isEmpty)
        return Set(page.examples.map(\.rowID))
    }

    /// The limit is the system's, on the size of a file, which fails a write as a full disk does.
    @Test(arguments: [false, true])
    func aFullDiskLosesNothing(byImages: Bool) async throws {
        let folder = "/tmp/fovea-full-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = try ServiceProcess.start(folder, blocksMax: 2_048)
        let client = Client(.unix(path: "\(folder)/s.sock"))
        _ = try await client.call(
            Datasets.createDataset,
            .with {
                $0.datasetID = "pets"
                $0.dataset = .with { $0.task = .generation }
            }, options: CallOptions(timeoutSeconds: 20, waitsForReady: true))
        let (acknowledged, error) = try await fill(client) { call in
            let side = byImages && call == 2 ? 1_024 : 8
            return try (0..<20).map { number in
                let isLarge = number == 19
                let image = try Pets.image(
                    call << 8 + number, width: isLarge ? side : 8, height: isLarge ? side : 8)
                return Pets.row("\(call)-\(number)", image: try image.png(level: 1))
            }
        }
        #expect(error?.code == .resourceExhausted, "\(String(describing: error))")
        #expect(error?.toldReason == "DISK_FULL", "\(String(describing: error))")
        #expect(acknowledged.count >= 40)
        // It still answers, and from what was acknowledged nothing is missing.
        #expect(try await rowIDs(client).isSuperset(of: acknowledged))
        await client.close()
        process.terminate()
        process.waitUntilExit()
        let again = try DatasetHarness(folder: "\(folder)/data")
        #expect(try await again.catalogue.verify(cleans: true).faults == [])
        #expect(try await rowIDs(again.client).isSuperset(of: acknowledged))
        let late = Pets.row("late", image: try Pets.image(1).png(), answer: "any")
        #expect(try await again.ingest([late]).acceptedCount == 1)
        await again.close()
    }

    @Test func aVersionThatFindsNoRoomIsNotThere() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<100))
        // Below what there is, the limit is what there is.
        try await harness.catalogue.writer.write { db in
            try db.script("PRAGMA max_page_count = 1")
        }
        let freeze = FreezeVersionRequest.with {
            $0.parent = "datasets/pets"
            $0.description = String(repeating: "long ", count: 1_900)
        }
        let error = await #expect(throws: RPCError.self) {
            try await harness.client.call(Datasets.freezeVersion, freeze)
        }
        #expect(error?.toldReason == "DISK_FULL")
        try await harness.catalogue.writer.write { db in
            try db.script("PRAGMA max_page_count = 1000000")
        }
        let listed = try await harness.client.call(
            Datasets.listVersions, .with { $0.parent = "datasets/pets" })
        #expect(listed.versions.isEmpty)
        let frozen = try await harness.client.call(Datasets.freezeVersion, freeze)
        #expect(frozen.version?.name == "datasets/pets/versions/1")
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        await harness.close()
    }

    @Test func aCatalogueThatCannotBeWrittenIsSaidAndStillRead() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<20))
        try await harness.catalogue.writer.read { db in
            try db.script("PRAGMA query_only = ON")
        }
        let client = harness.client
        let more = try Pets.rows(20..<22)
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await fill(client) { _ in more }.error.map { throw $0 } },
            {
                _ = try await client.call(
                    Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
            },
            {
                _ = try await client.call(
                    Datasets.deleteExample,
                    .with { ($0.name, $0.reason) = ("datasets/pets/examples/r0", "asked to") })
            },
        ]
        for call in calls {
            let error = await #expect(throws: RPCError.self) { try await call() }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.toldReason == "DISK_READ_ONLY")
        }
        #expect(try await rowIDs(client).count == 20)
        try await harness.catalogue.writer.read { db in
            try db.script("PRAGMA query_only = OFF")
        }
        #expect(try await harness.ingest(more).acceptedCount == 2)
        #expect(try await harness.catalogue.verify(cleans: false).faults == [])
        await harness.close()
    }

    /// The kernel's own folder takes no files from anybody, not even from root.
    @Test func imagesThatCannotBeWrittenAreSaid() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<20))
        let partial = "\(harness.folder)/blobs/partial"
        try #require(rmdir(partial) == 0)
        try #require(symlink("/sys", partial) == 0)
        let error = await #expect(throws: RPCError.self) {
            try await harness.ingest(try Pets.rows(20..<22))
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.toldReason == "DISK_READ_ONLY")
        #expect(try await rowIDs(harness.client).count == 20)
        try #require(unlink(partial) == 0)
        try #require(mkdir(partial, 0o700) == 0)
        #expect(try await harness.ingest(try Pets.rows(20..<22)).acceptedCount == 2)
        await harness.close()
    }
}
