import Base
import Messages
import RPC
import Testing

@testable import DatasetService

/// Many clients at once.
struct IngestCrowdTests {
    private static let clients = 50
    private static let rounds = 2
    private static let rowsEach = 3

    @Test func fiftyClientsLoseNothingWhileVersionsAreFrozen() async throws {
        let harness = try DatasetHarness()
        try await harness.createPets()
        try await harness.ingest(try Pets.rows(0..<40))
        try await Self.freeze(harness.client)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.clients {
                let client = try harness.server.connectInProcess()
                group.addTask {
                    try await Self.work(client, number)
                    await client.close()
                }
            }
            let client = harness.client
            for _ in 0..<2 {
                group.addTask { for _ in 0..<4 { try await Self.freeze(client) } }
            }
            try await group.waitForAll()
        }
        try await Self.freeze(harness.client)
        try await check(harness)
        await harness.close()
    }

    /// Uploads, lists and streams; then adds a label to the dataset that all share.
    private static func work(_ client: Client, _ number: Int) async throws {
        for round in 0..<rounds {
            let first = 1_000 + (number * rounds + round) * rowsEach
            let rows = try Pets.rows(first..<(first + rowsEach))
            let response = try await client.call(Datasets.ingestExamples) { requests in
                let header = IngestHeader.with { $0.parent = "datasets/pets" }
                try await requests.write(DatasetHarness.request(.header(header)))
                for row in rows { try await requests.write(DatasetHarness.request(.row(row))) }
            }
            #expect(response.acceptedCount == UInt64(rowsEach), "client \(number)")
            let page = try await client.call(
                Datasets.listExamples, .with { $0.parent = "datasets/pets" })
            #expect(page.totalCount >= UInt64(40 + rowsEach))
            try await stream(client)
        }
        try await label(client, "client-\(number)")
    }

    private static func freeze(_ client: Client) async throws {
        _ = try await client.call(Datasets.freezeVersion, .with { $0.parent = "datasets/pets" })
    }

    /// Reads the train split of the newest version, which has as many rows as it says.
    private static func stream(_ client: Client) async throws {
        var (told, seen) = (UInt64.max, UInt64(0))
        let request = StreamExamplesRequest.with {
            ($0.version, $0.split, $0.shuffle) = ("datasets/pets/versions/latest", .train, true)
        }
        for try await response in try await client.call(Datasets.streamExamples, request) {
            switch response.part {
            case .epochStart(let start)?: told = start.rowCount
            case .example?: seen += 1
            case nil: break
            }
        }
        #expect(seen == told)
    }

    /// Reads, changes and writes back, again for as long as somebody was quicker.
    private static func label(_ client: Client, _ label: String) async throws {
        while true {
            var dataset = try await client.call(
                Datasets.getDataset, .with { $0.name = "datasets/pets" })
            dataset.labels[label] = "here"
            let request = UpdateDatasetRequest.with {
                $0.dataset = dataset
                $0.updateMask = .with { $0.paths = ["labels"] }
            }
            do throws(RPCError) {
                _ = try await client.call(Datasets.updateDataset, request)
                return
            } catch {
                guard error.code == .aborted else { throw error }
            }
        }
    }

    private func check(_ harness: DatasetHarness) async throws {
        let page = try await harness.client.call(
            Datasets.listExamples, .with { ($0.parent, $0.pageSize) = ("datasets/pets", 1_000) })
        let uploaded = Self.clients * Self.rounds * Self.rowsEach
        let wanted = Array(0..<40) + Array(1_000..<(1_000 + uploaded))
        #expect(Set(page.examples.map(\.rowID)) == Set(wanted.map { "r\($0)" }))
        let dataset = try await harness.client.call(
            Datasets.getDataset, .with { $0.name = "datasets/pets" })
        #expect(dataset.exampleCount == UInt64(wanted.count))
        #expect(dataset.labels.count == Self.clients)
        let versions = try await harness.client.call(
            Datasets.listVersions, .with { $0.parent = "datasets/pets" }
        ).versions
        #expect(versions.contains { $0.exampleCount == UInt64(wanted.count) })
        #expect(Set(versions.map(\.contentSha256)).count == versions.count)
        let report = try await harness.catalogue.verify(cleans: false)
        #expect(report.faults == [])
    }
}
